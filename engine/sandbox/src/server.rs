//! From a configuration to a platform that answers.

use std::fs;
use std::fs::File;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::control::hooks;
use crate::error::Error;
use crate::faults::{self, FAULTS};
use crate::folder::{self, Folder};
use crate::platform::Platform;
use crate::{actors, background, http, rehearsal};

/// How long a shutdown waits for requests under way; a connection that never sends one must not keep the process.
const DRAIN: Duration = Duration::from_secs(2);

/// A platform whose address is bound and whose rehearsal is set up. [`Server::run`] makes it answer.
pub struct Server {
    platform: Arc<Platform>,
    listener: TcpListener,
    address: SocketAddr,
    /// Held for as long as the folder is served.
    lock: File,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Makes or opens the data folder, sets the rehearsal up if this is the first start, binds the address, and writes
    /// it to `<data>/address`.
    ///
    /// # Errors
    /// [`Error::NotLoopback`], [`Error::InUse`], [`Error::UnknownRehearsal`], or what the file system and SQLite say.
    pub async fn start(config: Config) -> Result<Self, Error> {
        if !config.listen.ip().is_loopback() && !config.allow_remote {
            return Err(Error::NotLoopback(config.listen));
        }
        let (platform, lock) =
            tokio::task::spawn_blocking(|| open(config)).await.map_err(|error| Error::Task(error.to_string()))??;
        let listen = platform.config.listen;
        let cannot_listen = |source| Error::io("cannot listen on", listen.to_string())(source);
        let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        hooks::publish(&platform.folder, &platform.token, address)?;
        folder::write_whole(&platform.folder.address(), format!("{address}\n").as_bytes())?;
        Ok(Self { platform: Arc::new(platform), listener, address, lock })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file that holds the admin token.
    pub fn token_file(&self) -> PathBuf {
        self.platform.folder.token()
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.platform.folder.root()
    }

    /// Answers until `shutdown` is ready; requests that are under way get two seconds to finish.
    ///
    /// # Errors
    /// [`Error::Io`] when the listener fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let mut tasks: JoinSet<()> = background::start(&self.platform);
        actors::start(&self.platform, self.address, &mut tasks);
        let router = http::router(Arc::clone(&self.platform));
        let (told, heard) = oneshot::channel();
        let drained = async {
            match heard.await {
                Ok(()) => tokio::time::sleep(DRAIN).await,
                // The server ended before it was told to.
                Err(_) => std::future::pending().await,
            }
        };
        let server = axum::serve(self.listener, router).with_graceful_shutdown(async move {
            shutdown.await;
            let _ = told.send(());
        });
        let served = tokio::select! {
            served = server.into_future() => served.map_err(Error::io("cannot serve", self.address.to_string())),
            () = drained => Ok(()),
        };
        tasks.shutdown().await;
        // Nobody should look for a platform that has gone. A crash leaves the file, and the next start replaces it.
        let _ = fs::remove_file(self.platform.folder.address());
        drop(self.lock);
        served
    }
}

/// Starts a platform and answers until `shutdown` is ready. `started` learns the address first.
///
/// # Errors
/// As for [`Server::start`] and [`Server::run`].
pub async fn serve(
    config: Config,
    started: impl FnOnce(&Server),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let server = Server::start(config).await?;
    started(&server);
    server.run(shutdown).await
}

fn open(config: Config) -> Result<(Platform, File), Error> {
    if let Some(rehearsal) = &config.rehearse {
        rehearsal::validate(rehearsal)?;
    }
    if let Some(unknown) = config.faults.iter().find(|name| !FAULTS.iter().any(|fault| fault.name == *name)) {
        return Err(faults::unknown(unknown));
    }
    let lock = Folder::create(&config.data)?.lock()?;
    let now = Timestamp::now();
    let platform = Platform::open(config, now)?;
    if let Some(rehearsal) = platform.config.rehearse.clone() {
        rehearsal::apply(&platform, &rehearsal, now)?;
    }
    rehearsal::break_besides(&platform)?;
    Ok((platform, lock))
}
