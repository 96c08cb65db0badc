//! A small HTTP server that keeps what it gets.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request, as it came.
#[derive(Clone, Debug)]
pub(super) struct Got {
    /// The method and the path.
    pub(super) what: String,
    /// By their names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Got {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

pub(super) struct Sink {
    at: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Sink {
    /// Answers what is asked, by the method and the path.
    pub(super) fn new(answers: fn(&str) -> (u16, &'static str)) -> Self {
        Self::counting(move |what, _| {
            let (status, body) = answers(what);
            (status, body.to_owned())
        })
    }

    /// The same, knowing how many requests came before.
    pub(super) fn counting(answers: impl Fn(&str, usize) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = format!("http://{}", listener.local_addr().expect("an address"));
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let kept = got.clone();
        std::thread::spawn(move || {
            for (before, stream) in listener.incoming().flatten().enumerate() {
                answer(stream, &|what| answers(what, before), &kept);
            }
        });
        Self { at, got }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.at)
    }

    /// What it got since it was asked last.
    pub(super) fn taken(&self) -> Vec<Got> {
        std::mem::take(&mut self.got.lock().expect("nobody panicked"))
    }
}

fn answer(stream: TcpStream, answers: &dyn Fn(&str) -> (u16, String), kept: &Mutex<Vec<Got>>) {
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
    let (status, text) = answers(&what);
    kept.lock().expect("nobody panicked").push(Got { what, headers, body });
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
    let mut stream = from.into_inner();
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(text.as_bytes())).expect("it is listened to");
}
