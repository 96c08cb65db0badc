//! `certificate`: how many days are left of one.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use serde::Deserialize;
use serde_json::json;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::session::{Failed, Outcome, Session, UNMET, object};

/// How long a server may take for each part of the greeting.
const GREETING_MAX: Duration = Duration::from_secs(15);

const DAY: i64 = 86_400;

#[derive(Deserialize)]
struct Inputs {
    host: Option<String>,
    #[serde(default = "https")]
    port: u16,
    server_name: Option<String>,
    file: Option<String>,
    min_days: Option<i64>,
}

fn https() -> u16 {
    443
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let (of, certificates) = match (&inputs.host, &inputs.file) {
        (Some(host), None) => {
            let name = inputs.server_name.as_deref().unwrap_or(host);
            (format!("{host}:{}", inputs.port), vec![of_server(host, inputs.port, name, session)?])
        }
        (None, Some(file)) => (file.clone(), of_file(file)?),
        _ => return Err(Failed::new("either `host` or `file` says which certificate, and not both")),
    };
    let mut read = vec![];
    for der in &certificates {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|error| Failed::new(format!("a certificate of {of} cannot be read: {error}")))?;
        read.push(certificate);
    }
    // What uses a file fails with the first of its certificates that has ended.
    let first = read.iter().min_by_key(|it| it.validity().not_after.timestamp());
    let certificate = first.ok_or_else(|| Failed::new(format!("there is no certificate in {of}")))?;
    let (from, until) = (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
    let now = Timestamp::now().as_second();
    let days_left = (until - now).div_euclid(DAY);
    let until = Timestamp::from_second(until).map_err(|error| Failed::new(error.to_string()))?;
    let subject = certificate.subject().to_string();
    let unmet = |message: String| Err(Failed::with_code(UNMET, message));
    if from > now {
        return unmet(format!("the certificate of {of} ({subject}) is not yet good"));
    }
    if days_left < 0 {
        return unmet(format!("the certificate of {of} ({subject}) has ended at {until}"));
    }
    if let Some(least) = inputs.min_days.filter(|least| days_left < *least) {
        let message = format!("the certificate of {of} ({subject}) ends at {until}, in {days_left} days");
        return unmet(format!("{message}; at least {least} were expected"));
    }
    Ok(object(json!({
        "days_left": days_left,
        "not_after": until.to_string(),
        "subject": subject,
        "issuer": certificate.issuer().to_string(),
        "names": names(certificate),
    })))
}

/// The names that a certificate is for.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return vec![] };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn of_file(file: &str) -> Result<Vec<CertificateDer<'static>>, Failed> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.map_err(|error| Failed::new(format!("cannot read {file}: {error}")))
}

/// The certificate that a server shows. Whoever signed it: one that has ended must be told from one that nobody trusts.
fn of_server(host: &str, port: u16, name: &str, session: &Session<'_>) -> Result<CertificateDer<'static>, Failed> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failed::new(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| Failed::new(format!("`{name}` is no name that a server can have")))?;
    let mut talk = ClientConnection::new(Arc::new(config), name).map_err(|error| Failed::new(error.to_string()))?;
    let failed = |error: io::Error| Failed::for_now(format!("cannot speak TLS with {host}:{port}: {error}"));
    let most = session.time_left(GREETING_MAX);
    let mut stream = connect(host, port, most).map_err(failed)?;
    stream.set_read_timeout(Some(most)).and_then(|()| stream.set_write_timeout(Some(most))).map_err(failed)?;
    while talk.is_handshaking() {
        talk.complete_io(&mut stream).map_err(failed)?;
    }
    let shown = talk.peer_certificates().and_then(|all| all.first()).cloned();
    shown.ok_or_else(|| Failed::new(format!("{host}:{port} shows no certificate")))
}

fn connect(host: &str, port: u16, most: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, most) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Takes any certificate, if only the server has its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
