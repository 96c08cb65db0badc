//! The event stream: each journal record as one line of JSON, exactly as it was decided.
//!
//! `{"seq":7,"at":"2025-11-30T11:03:04.120Z","type":"step_failed","step":"…",…,"hash":"…"}`: `seq` counts from 0 without a
//! gap, `at` is RFC 3339 in UTC, `type` is the event with its own fields beside it, `hash` is that of the stored record.
//! After `resume` the stream goes on where the journal was. The last line of a run that ended is `run_ended`.

use runbook_core::event::Event;
use runbook_core::run::Run;
use runbook_core::units::{Digest, Timestamp};
use runbook_journal::Record;

use super::text::rfc3339;

/// The line of a record, without its end.
pub(crate) fn line(record: &Record) -> String {
    write(record.seq, record.at, &record.event, &record.hash)
}

/// The first record, which is written before anyone listens: it is known from the second.
pub(crate) fn first(second: &Record, run: &Run) -> Option<String> {
    let created = run.created().filter(|_| second.seq == 1)?;
    Some(write(0, run.started_at(), &Event::RunCreated(Box::new(created.clone())), &second.prev))
}

fn write(seq: u64, at: Timestamp, event: &Event, hash: &Digest) -> String {
    // An event is an object by its type, and was written to the journal as JSON already.
    let event = serde_json::to_string(event).unwrap_or_else(|_| "{}".to_owned());
    let fields = event.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    let comma = if fields.is_empty() { "" } else { "," };
    format!(r#"{{"seq":{seq},"at":"{}"{comma}{fields},"hash":"{hash}"}}"#, rfc3339(at.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::event::{BlockReason, Cause, EndState, Failure};
    use runbook_core::input::Exit;

    fn record(event: Event) -> Record {
        let digest = |letter: &str| Digest::new(letter.repeat(64));
        Record { seq: 7, at: Timestamp(1_700_000_000_120), prev: digest("a"), hash: digest("b"), event }
    }

    #[test]
    fn a_record_is_one_line_with_its_fields_beside_it() {
        let step = "a".into();
        let text = line(&record(Event::StepFailed { step, failure: Failure::Exit(Exit::Code(3)) }));
        let hash = "b".repeat(64);
        let expected = format!(
            r#"{{"seq":7,"at":"2023-11-14T22:13:20.120Z","type":"step_failed","step":"a","failure":{{"exit":{{"code":3}}}},"hash":"{hash}"}}"#
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn every_line_is_an_object_that_can_be_read() {
        let events = [
            Event::CancelGraceOver,
            Event::StepBlocked { step: "a".into(), reason: BlockReason::Cancelled },
            Event::RunEnded { state: EndState::Failed, cause: Cause::None, irreversible: vec![], outputs: [].into() },
        ];
        for event in events {
            let value: serde_json::Value = serde_json::from_str(&line(&record(event))).unwrap();
            assert_eq!((&value["seq"], &value["type"].is_string()), (&7.into(), &true), "{value}");
        }
    }
}
