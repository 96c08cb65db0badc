//! One statement, whose values are parameters and never text of it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use postgres::types::private::BytesMut;
use postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use serde_json::{Value, json};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Inputs;
use crate::http::{is_about_tls, sentence};
use crate::session::{Failed, Outcome, Session, object};

/// How long the server may take to take a connection.
const CONNECT_MAX: Duration = Duration::from_secs(15);

/// How long a statement may take where nothing bounds the step.
const STATEMENT_MAX: Duration = Duration::from_secs(3600);

pub(super) fn query(inputs: &Inputs, sql: &str, session: &Session<'_>) -> Outcome {
    let mut client = connect(inputs, session)?;
    let params: Vec<Param> = inputs.params.iter().map(Param::of).collect();
    let given: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
    let sql = sql.trim().trim_end_matches(';');
    let statement = client.prepare(sql).map_err(|error| failed(&error))?;
    let wanted = statement.params().len();
    if wanted != given.len() {
        return Err(Failed::new(format!("`sql` has {wanted} parameters, and `params` {} values", given.len())));
    }
    if statement.columns().is_empty() {
        let count = client.execute(&statement, &given).map_err(|error| failed(&error))?;
        return Ok(object(json!({"rows": [], "count": count, "more": false})));
    }
    // The server knows how each of its types is written as JSON.
    let most = inputs.max_rows;
    let sql = format!("WITH q AS ({sql}\n) SELECT to_jsonb(q)::text FROM q LIMIT {}", most + 1);
    let rows = client.query(&sql, &given).map_err(|error| failed(&error))?;
    let more = rows.len() > most;
    let read = |row: &postgres::Row| {
        let text: String = row.try_get(0).map_err(|error| failed(&error))?;
        serde_json::from_str(&text).map_err(|error| Failed::new(format!("a row cannot be read: {error}")))
    };
    let rows = rows.iter().take(most).map(read).collect::<Result<Vec<Value>, Failed>>()?;
    Ok(object(json!({"count": rows.len(), "rows": rows, "more": more})))
}

fn connect(inputs: &Inputs, session: &Session<'_>) -> Result<Client, Failed> {
    let limit = session.time_left(STATEMENT_MAX).as_millis().max(1);
    let mut options = format!("-c statement_timeout={limit}");
    if inputs.read_only {
        options.push_str(" -c default_transaction_read_only=on");
    }
    let mut config = Config::new();
    config
        .host(&inputs.host)
        .port(inputs.port)
        .user(&inputs.user)
        .dbname(&inputs.database)
        .application_name("runbook")
        .options(&options)
        .connect_timeout(session.time_left(CONNECT_MAX));
    if let Some(password) = &inputs.password {
        config.password(password);
    }
    if !inputs.uses_tls() {
        config.ssl_mode(postgres::config::SslMode::Disable);
        return config.connect(NoTls).map_err(|error| failed(&error));
    }
    config.ssl_mode(postgres::config::SslMode::Require);
    config.connect(MakeRustlsConnect::new(tls(inputs)?)).map_err(|error| failed(&error))
}

/// Trusts what the machine trusts, and `ca_file`.
fn tls(inputs: &Inputs) -> Result<ClientConfig, Failed> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let more = match &inputs.ca_file {
        None => vec![],
        Some(file) => CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| Failed::new(format!("cannot read {file}: {error}")))?,
    };
    let unusable = |error: rustls::Error| Failed::new(format!("TLS cannot be used: {error}"));
    let verifier = Verifier::new_with_extra_roots(more, provider.clone()).map_err(unusable)?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(unusable)?;
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// What the server says is about the statement; what it does not say may pass.
fn failed(error: &postgres::Error) -> Failed {
    match error.as_db_error() {
        Some(said) => {
            let detail = said.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            Failed::new(format!("the server refused it: {}{detail}", said.message()))
        }
        None if is_about_tls(error) => Failed::new(sentence(error)),
        None => Failed::for_now(sentence(error)),
    }
}

/// A value in the form in which the server reads it from text, whatever type it has there.
#[derive(Debug)]
struct Param(Option<String>);

impl Param {
    fn of(value: &Value) -> Self {
        Self(match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        })
    }
}

impl ToSql for Param {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}
