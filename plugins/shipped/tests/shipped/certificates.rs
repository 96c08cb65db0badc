//! `certificate` against a real TLS server and real files.

use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use serde_json::{Value, json};

use crate::kit::authority::{Authority, Signed};
use crate::kit::{Refused, run};

/// Shows a certificate to whoever asks; its port.
fn shown(signed: &Signed) -> u16 {
    let certificate = CertificateDer::from_pem_slice(signed.certificate.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("it fits");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut talk = ServerConnection::new(config.clone()).expect("a connection");
            while talk.is_handshaking() && talk.complete_io(&mut stream).is_ok() {}
        }
    });
    port
}

fn unmet(inputs: Value) -> String {
    match run("certificate", inputs) {
        Err(Refused { code: 2, message }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_days_that_are_left_of_a_server_are_counted() {
    let signed = Authority::new().sign("db.example.org", -1, 10);
    let port = shown(&signed);
    let inputs = json!({"host": "127.0.0.1", "port": port, "server_name": "db.example.org"});
    let outputs = run("certificate", inputs.clone()).expect("it is good");
    // It ends at a midnight, so that the last of the ten days is never whole, but for one second.
    let days = outputs["days_left"].as_i64().expect("a number");
    assert!((9..=10).contains(&days), "{outputs}");
    assert_eq!(outputs["names"], json!(["db.example.org"]));
    assert!(outputs["subject"].as_str().is_some_and(|it| it.contains("CN=db.example.org")), "{outputs}");
    assert!(outputs["issuer"].as_str().is_some_and(|it| it.contains("authority of the test")), "{outputs}");
    let mut enough = inputs.clone();
    enough["min_days"] = days.into();
    run("certificate", enough).expect("it is enough");
    let mut more = inputs;
    more["min_days"] = (days + 1).into();
    let message = unmet(more);
    assert!(message.contains(&format!("in {days} days; at least {} were expected", days + 1)), "{message}");
}

#[test]
fn a_server_that_nobody_vouches_for_is_asked_nothing_and_will_not_be_a_little_later() {
    let port = shown(&Authority::new().sign("localhost", -1, 10));
    let inputs = json!({"url": format!("https://localhost:{port}/T0/hidden"), "text": "x"});
    let Err(Refused { code: 1, message }) = run("slack", inputs) else { panic!("nobody vouches for it") };
    assert!(message.contains("certificate") && !message.contains("hidden"), "{message}");
}

#[test]
fn one_that_has_ended_or_has_not_begun_is_told_as_such() {
    let authority = Authority::new();
    let port = shown(&authority.sign("db", -10, -2));
    let message = unmet(json!({"host": "127.0.0.1", "port": port}));
    assert!(message.contains("has ended at"), "{message}");
    let port = shown(&authority.sign("db", 2, 10));
    let message = unmet(json!({"host": "127.0.0.1", "port": port}));
    assert!(message.contains("is not yet good"), "{message}");
}

#[test]
fn of_a_file_the_first_to_end_counts() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.pem");
    let all = [90, 20, 60].map(|days| authority.sign(&format!("in-{days}"), -1, days).certificate).concat();
    std::fs::write(&file, all).expect("a file");
    let outputs = run("certificate", json!({"file": file.display().to_string()})).expect("it is good");
    assert_eq!(outputs["names"], json!(["in-20"]));
    let message = unmet(json!({"file": file.display().to_string(), "min_days": 30}));
    assert!(message.contains("all.pem (CN=in-20"), "{message}");
    std::fs::write(&file, "nothing").expect("a file");
    for (inputs, part) in [
        (json!({"file": file.display().to_string()}), "there is no certificate in"),
        (json!({"file": "/nowhere.pem"}), "cannot read /nowhere.pem"),
        (json!({}), "either `host` or `file`"),
        (json!({"host": "a", "file": "b"}), "not both"),
    ] {
        let Err(Refused { code: 1, message }) = run("certificate", inputs) else { panic!("{part}") };
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_server_that_is_not_there_or_speaks_no_tls_is_named() {
    let nobody = crate::kit::counterparts::port();
    let Err(Refused { code, message }) = run("certificate", json!({"host": "127.0.0.1", "port": nobody})) else {
        panic!("nobody is there")
    };
    assert!(code == 75 && message.contains(&format!("127.0.0.1:{nobody}")), "{message}");
    let http = crate::kit::sink::Sink::new(200, "x");
    let port: u16 = http.url("").rsplit(':').next().expect("a port").parse().expect("a port");
    let Err(Refused { message, .. }) = run("certificate", json!({"host": "127.0.0.1", "port": port})) else {
        panic!("it speaks no TLS")
    };
    assert!(message.contains("cannot speak TLS with"), "{message}");
}
