//! `email`: a message by SMTP.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport as _};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

use crate::http::{is_about_tls, sentence};
use crate::session::{Failed, Outcome, Session, object};

/// How long a server may take for each answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Inputs {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    tls: Security,
    username: Option<String>,
    password: Option<String>,
    ca_file: Option<String>,
    from: String,
    to: Vec<String>,
    #[serde(default)]
    cc: Vec<String>,
    subject: String,
    text: String,
    html: Option<String>,
}

/// How a connection is kept from others.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Security {
    #[default]
    Starttls,
    Tls,
    None,
}

impl Security {
    fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

pub(crate) fn run(session: &Session<'_>) -> Outcome {
    let inputs: Inputs = session.inputs()?;
    let (message, id) = message(&inputs, session.idempotency_key())?;
    let transport = transport(&inputs, session)?;
    transport.send(&message).map_err(|error| {
        let text = format!("the message was not taken: {}", sentence(&error));
        // A refusal that is not for good, and whatever is no answer at all.
        let is_for_now = !error.is_permanent() && !error.is_client() && !is_about_tls(&error);
        if is_for_now { Failed::for_now(text) } else { Failed::new(text) }
    })?;
    Ok(object(json!({"message_id": id})))
}

fn transport(inputs: &Inputs, session: &Session<'_>) -> Result<SmtpTransport, Failed> {
    let credentials = match (&inputs.username, &inputs.password) {
        (None, None) => None,
        (Some(_), Some(_)) if inputs.tls == Security::None => {
            return Err(Failed::new("a password is not sent without TLS: use `tls: starttls` or `tls: tls`"));
        }
        (Some(username), Some(password)) => Some(Credentials::new(username.clone(), password.clone())),
        _ => return Err(Failed::new("a login needs `username` and `password`")),
    };
    let tls = match inputs.tls {
        Security::None => Tls::None,
        // Never without: who stands between could keep the server's offer of TLS to itself.
        Security::Starttls => Tls::Required(parameters(inputs)?),
        Security::Tls => Tls::Wrapper(parameters(inputs)?),
    };
    let builder = SmtpTransport::builder_dangerous(&inputs.host)
        .port(inputs.port.unwrap_or_else(|| inputs.tls.port()))
        .tls(tls)
        .timeout(Some(session.time_left(ANSWER_MAX)));
    Ok(match credentials {
        Some(credentials) => builder.credentials(credentials).build(),
        None => builder.build(),
    })
}

fn parameters(inputs: &Inputs) -> Result<TlsParameters, Failed> {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = TlsParameters::builder(inputs.host.clone());
    if let Some(file) = &inputs.ca_file {
        let pem = std::fs::read(file).map_err(|error| Failed::new(format!("cannot read {file}: {error}")))?;
        let certificate = Certificate::from_pem(&pem)
            .map_err(|error| Failed::new(format!("{file} holds no certificates: {}", sentence(&error))))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| Failed::new(format!("TLS cannot be used: {}", sentence(&error))))
}

/// The message, and its id.
fn message(inputs: &Inputs, key: &str) -> Result<(Message, String), Failed> {
    let mailbox = |text: &String| {
        text.parse::<Mailbox>().map_err(|error| Failed::new(format!("`{text}` is no address: {error}")))
    };
    let from = mailbox(&inputs.from)?;
    let id = format!("<{}@{}>", word(key), from.email.domain());
    let mut builder = Message::builder().from(from).subject(&inputs.subject).message_id(Some(id.clone()));
    for to in &inputs.to {
        builder = builder.to(mailbox(to)?);
    }
    for cc in &inputs.cc {
        builder = builder.cc(mailbox(cc)?);
    }
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(inputs.text.clone());
    let message = match &inputs.html {
        None => builder.singlepart(text),
        Some(html) => {
            let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html.clone());
            builder.multipart(MultiPart::alternative().singlepart(text).singlepart(html))
        }
    };
    Ok((message.map_err(|error| Failed::new(format!("this is no message: {}", sentence(&error))))?, id))
}

/// A key as the left side of an id; two keys have two.
fn word(key: &str) -> String {
    let letter = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' => letter.to_string(),
        '/' => "_".to_owned(),
        _ => format!("={:x}=", u32::from(letter)),
    };
    key.chars().map(letter).collect()
}
