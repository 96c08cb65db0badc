//! The rules: what has to be wrong for which alert. The bounds are those of the daily health check.

use crate::business::{orders, positions};
use crate::control::matchers::Labels;
use crate::control::{health, machine, metrics, services};
use crate::platform::Work;
use crate::reply::Failure;

/// A certificate with fewer days left is replaced in time.
const CERTIFICATE_DAYS_MIN: i64 = 30;
const BACKUP_HOURS_MAX: i64 = 24;
const MEMORY_PERCENT_MAX: i64 = 85;
const EXPOSURE_USD_MAX: i64 = 2_000_000;

/// One thing that is wrong.
pub(super) struct Found {
    pub(super) labels: Labels,
    /// What a person reads.
    pub(super) summary: String,
}

/// `service` is empty where it is none of them.
fn found(name: &str, severity: &str, service: &str, summary: String) -> Found {
    let labels = [("alertname", name), ("severity", severity), ("service", service)];
    let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
    Found { labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), summary }
}

/// All that is wrong now. What cannot be told, such as the exposure of lost books, is not found.
pub(super) fn firing(work: &Work<'_>) -> Result<Vec<Found>, Failure> {
    let mut all = of_services(work)?;
    all.extend(of_books(work)?);
    let (keys, sessions) = health::suspicious_credentials(work)?;
    if keys + sessions > 0 {
        let summary = format!("suspicious credentials work: {keys} keys, {sessions} sessions");
        all.push(found("SuspiciousCredentials", "critical", "", summary));
    }
    if health::quotes_are_stale(work)? {
        all.push(found("QuotesStale", "warning", "market_data", "no new quotes come".to_owned()));
    }
    for certificate in machine::certificates(work)? {
        let days = certificate["days_left"].as_i64().unwrap_or_default();
        if days < CERTIFICATE_DAYS_MIN {
            let service = certificate["name"].as_str().unwrap_or_default();
            let summary = format!("the certificate of {service} ends in {days} days");
            all.push(found("CertificateExpiring", "warning", service, summary));
        }
    }
    let age = metrics::backup_age_hours(work);
    if let Some(age) = age.filter(|age| *age > BACKUP_HOURS_MAX) {
        let summary = format!("the newest backup that can be trusted is {age} h old");
        all.push(found("BackupOverdue", "warning", "", summary));
    }
    let memory = machine::figure(work, "memory_percent")?.unwrap_or_default();
    if memory > MEMORY_PERCENT_MAX {
        all.push(found("MemoryHigh", "warning", "", format!("{memory} % of the memory is in use")));
    }
    Ok(all)
}

fn of_services(work: &Work<'_>) -> Result<Vec<Found>, Failure> {
    let mut all = vec![];
    for name in services::NAMES {
        let service = services::get(work, name)?;
        let (alert, severity) = match service.state.as_str() {
            "up" => continue,
            "degraded" => ("ServiceDegraded", "warning"),
            // Also while it starts: nobody gets an answer from it.
            _ => ("ServiceDown", "critical"),
        };
        let summary = match &service.condition {
            Some(condition) => format!("{name} is {}: {condition}", service.state),
            None => format!("{name} is {}", service.state),
        };
        all.push(found(alert, severity, name, summary));
    }
    Ok(all)
}

fn of_books(work: &Work<'_>) -> Result<Vec<Found>, Failure> {
    let mut all = vec![];
    if let Some(problem) = health::database_problem(work) {
        all.push(found("BooksDamaged", "critical", "", problem));
    }
    let Ok(books) = work.books() else {
        return Ok(all);
    };
    let stuck = orders::stuck(work, &books)?;
    if stuck > 0 {
        let summary = format!("{stuck} market orders wait and are not filled");
        all.push(found("TradingNotFilling", "critical", "engine", summary));
    }
    let exposure = positions::risk(work, &books)?["gross_exposure_cents"].as_i64().unwrap_or_default() / 100;
    if exposure > EXPOSURE_USD_MAX {
        let summary = format!("gross exposure is {exposure} USD, allowed are {EXPOSURE_USD_MAX}");
        all.push(found("ExposureHigh", "critical", "", summary));
    }
    Ok(all)
}
