//! `postgres`: a query, a dump, a restore.

mod copy;
mod query;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::http::is_loopback_name;
use crate::session::{Failed, Outcome, Session};

/// Where Linux systems keep the authorities that they trust, for programs that must be told.
const BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

#[derive(Deserialize)]
struct Inputs {
    #[serde(default)]
    action: Action,
    host: String,
    #[serde(default = "port")]
    port: u16,
    database: String,
    user: String,
    password: Option<String>,
    #[serde(default)]
    tls: Tls,
    ca_file: Option<String>,
    sql: Option<String>,
    #[serde(default)]
    params: Vec<Value>,
    #[serde(default)]
    read_only: bool,
    #[serde(default = "max_rows")]
    max_rows: usize,
    file: Option<String>,
    #[serde(default)]
    overwrite: bool,
    #[serde(default)]
    clean: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    #[default]
    Query,
    Dump,
    Restore,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Query => "query",
            Self::Dump => "dump",
            Self::Restore => "restore",
        })
    }
}

/// How a connection is kept from others.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tls {
    #[default]
    Verify,
    None,
}

fn port() -> u16 {
    5432
}

fn max_rows() -> usize {
    1000
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    inputs.check()?;
    let of = |value: &Option<String>, name: &str| {
        value.clone().ok_or_else(|| Failed::new(format!("`{}` needs `{name}`", inputs.action)))
    };
    match inputs.action {
        Action::Query => query::query(&inputs, &of(&inputs.sql, "sql")?, session),
        Action::Dump => copy::dump(&inputs, &of(&inputs.file, "file")?, session),
        Action::Restore => copy::restore(&inputs, &of(&inputs.file, "file")?, session),
    }
}

impl Inputs {
    fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Nothing crosses a network that others could read or change.
    fn check(&self) -> Result<(), Failed> {
        let is_here = self.is_socket() || is_loopback_name(&self.host);
        if self.tls == Tls::None && self.password.is_some() && !is_here {
            return Err(Failed::new("a password is not sent to another machine without TLS: remove `tls: none`"));
        }
        Ok(())
    }

    fn uses_tls(&self) -> bool {
        self.tls == Tls::Verify && !self.is_socket()
    }

    /// The same connection for PostgreSQL's own programs. What is in the environment no other user can see.
    fn environment(&self) -> Result<BTreeMap<&'static str, String>, Failed> {
        let mut all = BTreeMap::from([
            ("PGHOST", self.host.clone()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGAPPNAME", "runbook".to_owned()),
            ("PGCONNECT_TIMEOUT", "15".to_owned()),
            ("PGSSLMODE", if self.uses_tls() { "verify-full" } else { "disable" }.to_owned()),
        ]);
        if let Some(password) = &self.password {
            all.insert("PGPASSWORD", password.clone());
        }
        if self.uses_tls() {
            let known = BUNDLES.iter().find(|file| Path::new(file).is_file()).map(|file| (*file).to_owned());
            let roots = self.ca_file.clone().or(known);
            let roots = roots.ok_or_else(|| Failed::new("there are no authorities to trust: name a `ca_file`"))?;
            all.insert("PGSSLROOTCERT", roots);
        }
        Ok(all)
    }
}
