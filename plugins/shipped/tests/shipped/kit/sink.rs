//! A small HTTP server that keeps what it gets.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// The method and the path.
    pub(crate) what: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What makes the answer to a request: its status, and its body.
type Answers = dyn Fn(&Got) -> (u16, String) + Send + Sync;

pub(crate) struct Sink {
    at: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Sink {
    /// Answers everything with one status and body.
    pub(crate) fn new(status: u16, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = format!("http://{}", listener.local_addr().expect("an address"));
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (answers, kept) = (Arc::new(move |_: &Got| (status, body.to_owned())), got.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &*answers, &kept);
            }
        });
        Self { at, got }
    }

    /// A URL of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.at)
    }

    /// What it got since it was asked last.
    pub(crate) fn taken(&self) -> Vec<Got> {
        std::mem::take(&mut self.got.lock().expect("nobody panicked"))
    }

    /// The only thing that it got.
    pub(crate) fn one(&self) -> Got {
        let mut all = self.taken();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

fn answer(stream: TcpStream, answers: &Answers, kept: &Mutex<Vec<Got>>) {
    let mut from = BufReader::new(stream);
    let mut line = String::new();
    from.read_line(&mut line).expect("a request");
    let what = line.rsplit_once(' ').map(|(what, _)| what.to_owned()).unwrap_or_default();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let size = headers.get("content-length").and_then(|size| size.parse().ok()).unwrap_or(0);
    let mut body = vec![0; size];
    from.read_exact(&mut body).expect("a body");
    let got = Got { what, headers, body };
    let (status, text) = answers(&got);
    kept.lock().expect("nobody panicked").push(got);
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
    let mut stream = from.into_inner();
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(text.as_bytes())).expect("it is listened to");
}
