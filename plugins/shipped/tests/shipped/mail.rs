//! `email` against a real mail server with STARTTLS and a login.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::kit::authority::Authority;
use crate::kit::counterparts::{Server, missing, port, program};
use crate::kit::{Refused, run};

struct Mail {
    server: Server,
    port: u16,
    ca: PathBuf,
}

/// A server that wants STARTTLS and a login, or neither.
fn mail(mode: &str) -> Option<Mail> {
    let python = program("python3", &["/usr/bin"])?;
    let has = Command::new(&python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        missing("python3-aiosmtpd");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("a file");
    let (certificate, key) = authority.sign("localhost", -1, 30).write(folder.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shipped/mail.py");
    let port = port();
    let mut command = Command::new(python);
    command.arg(script).arg(port.to_string()).arg(certificate).arg(key).arg(folder.path().join("kept")).arg(mode);
    let mut server = Server::start(folder, &mut command);
    server.listens(port);
    Some(Mail { server, port, ca })
}

impl Mail {
    fn inputs(&self) -> Value {
        json!({
            "host": "localhost", "port": self.port, "ca_file": self.ca.display().to_string(),
            "username": "ops", "password": "right-password",
            "from": "Ops <ops@example.org>", "to": ["a@example.org", "Bé <b@example.org>"], "cc": ["c@example.org"],
            "subject": "Störung\r\nBcc: x@example.org", "text": "Es ist räumlich\n.\nvorbei",
        })
    }

    fn with(&self, changes: Value) -> Value {
        let mut inputs = self.inputs();
        for (name, value) in changes.as_object().cloned().unwrap_or_default() {
            inputs[&name] = value;
        }
        inputs
    }

    fn kept(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.server.folder.path().join("kept")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

#[test]
fn a_message_goes_over_tls_with_a_login_and_is_known_by_its_call() {
    let Some(mail) = mail("starttls") else { return };
    let outputs = run("email", mail.inputs()).expect("it is taken");
    let id = "<01K0000000000000000000TEST_notify.1@example.org>";
    assert_eq!(outputs, json!({"message_id": id}));
    let kept = mail.kept();
    assert_eq!(kept.len(), 1);
    let got = &kept[0];
    assert_eq!((&got["tls"], &got["login"]), (&json!(true), &json!("ops")));
    assert_eq!(got["from"], "ops@example.org");
    assert_eq!(got["to"], json!(["a@example.org", "b@example.org", "c@example.org"]));
    let text = got["text"].as_str().expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.contains(&format!("Message-ID: {id}")) && head.contains("Date: "), "{head}");
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "a subject is one header: {head}");
    assert!(body.contains("vorbei") && body.contains("=C3=A4"), "{body}");

    let html = mail.with(json!({"html": "<b>vorbei</b>"}));
    run("email", html).expect("it is taken");
    let text = mail.kept()[1]["text"].as_str().expect("text").to_owned();
    assert!(text.contains("multipart/alternative") && text.contains("text/html") && text.contains("text/plain"));
}

#[test]
fn nothing_is_said_to_a_server_that_offers_no_tls_or_that_nobody_vouches_for() {
    let Some(plain) = mail("plain") else { return };
    let Err(Refused { message, .. }) = run("email", plain.inputs()) else { panic!("there is no TLS") };
    assert!(message.contains("STARTTLS") && !message.contains("right-password"), "{message}");
    let without = plain.with(json!({"tls": "none"}));
    let Err(Refused { code: 1, message }) = run("email", without) else { panic!("a password without TLS") };
    assert_eq!(message, "a password is not sent without TLS: use `tls: starttls` or `tls: tls`");
    assert!(plain.kept().is_empty());
    let mut open = plain.with(json!({"tls": "none"}));
    for name in ["username", "password", "ca_file"] {
        open.as_object_mut().expect("an object").remove(name);
    }
    run("email", open).expect("without a login it is taken");
    assert_eq!(plain.kept().len(), 1);

    let mail = mail("starttls").expect("as before");
    let mut unknown = mail.inputs();
    unknown.as_object_mut().expect("an object").remove("ca_file");
    let Err(Refused { code: 1, message }) = run("email", unknown) else { panic!("nobody signed it") };
    assert!(message.contains("certificate"), "{message}");
    assert!(mail.kept().is_empty());
}

#[test]
fn what_a_server_refuses_for_now_is_told_from_what_it_refuses() {
    let Some(mail) = mail("starttls") else { return };
    for (changes, code, part) in [
        (json!({"text": "come again"}), 75, "not now"),
        (json!({"text": "no thanks"}), 1, "we do not take that"),
        (json!({"password": "wrong-password"}), 1, "535"),
        (json!({"port": 1}), 75, "refused"),
        (json!({"to": ["nobody"]}), 1, "`nobody` is no address"),
        (json!({"username": "ops", "ca_file": "/nowhere"}), 1, "cannot read /nowhere"),
    ] {
        let Err(refused) = run("email", mail.with(changes)) else { panic!("{part}") };
        assert!(refused.code == code && refused.message.contains(part), "{refused:?}");
        assert!(!refused.message.contains("-password"), "{refused:?}");
    }
    assert!(mail.kept().is_empty());
}
