//! Many runs, read one after the other: only one run's records are in memory at a time.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use runbook_core::run::Run;
use runbook_journal::Record;
use runbook_language::Period;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::folder::RunFolder;
use runbook_runtime::{EngineError, load, now};
use serde::Serialize;

use crate::failure::{Failure, with_causes};
use crate::output;

/// A run that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOut {
    /// Which.
    pub(crate) run: String,
    /// Why, as a phrase.
    pub(crate) why: String,
}

/// Hands over each run with its records, the oldest first; those that cannot be read are given back. Those of other members
/// of a group are passed over, and their number is told.
pub(crate) fn each_run(
    folders: impl IntoIterator<Item = RunFolder>,
    mut take: impl FnMut(&RunFolder, &Run, &[Record]),
) -> Vec<LeftOut> {
    let mut left_out = vec![];
    let mut of_others = 0;
    for folder in folders {
        if folder.other_owner().is_some() {
            of_others += 1;
            continue;
        }
        match load(&folder) {
            Ok((run, records)) => take(&folder, &run, &records),
            Err(error) => {
                let why = match error {
                    EngineError::InUse => "an engine has it".to_owned(),
                    error => with_causes(&error),
                };
                left_out.push(LeftOut { run: folder.id().to_string(), why });
            }
        }
    }
    if of_others > 0 {
        let them = if of_others == 1 { "is 1 run".to_owned() } else { format!("are {of_others} runs") };
        output::note(format!("note: left out {them} of other users: each is read by its owner alone"));
    }
    left_out
}

/// Says which runs are not in what was printed.
pub(crate) fn warn(left_out: &[LeftOut]) {
    for one in left_out {
        output::note(format!("warning: run {} is left out: {}", one.run, one.why));
    }
}

/// A moment as people name it: a period back from now (`30d`), a day (`2026-01-31`, in UTC), or RFC 3339. In milliseconds.
pub(crate) fn since(text: &str) -> Result<u64, Failure> {
    if let Ok(period) = Period::parse(text) {
        return Ok(period.before(now().0));
    }
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let moment = text.parse::<jiff::Timestamp>().ok().or_else(day);
    moment.and_then(|at| u64::try_from(at.as_millisecond()).ok()).ok_or_else(|| {
        Failure::new(ExitCode::Usage, format!("`{text}` is no moment"))
            .hint("write `30d` or `6mo` for a period until now, `2026-01-31` for a day, or an RFC 3339 time")
    })
}

/// When a run was started, by its id.
pub(crate) fn started_at(folder: &RunFolder) -> u64 {
    ulid::Ulid::from_string(folder.id().as_str()).map_or(0, |id| id.timestamp_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_periods_days_or_times() {
        assert_eq!(since("2026-03-01").unwrap(), 1_772_323_200_000);
        assert_eq!(since("2026-03-01T01:00:00+01:00").unwrap(), 1_772_323_200_000);
        let day = now().0 - since("1d").unwrap();
        assert!((86_400_000..86_500_000).contains(&day), "{day}");
        for text in ["", "yesterday", "30", "2026-13-01"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
