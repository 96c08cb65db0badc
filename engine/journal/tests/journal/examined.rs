//! Records of real runs, kept as they were sealed: they must stay valid, and nobody may alter one unnoticed.

use crate::fixtures::Random;
use runbook_core::event::EndState;
use runbook_core::units::Timestamp;
use runbook_journal::{Examined, Finding, Journal as _, RECORD, RunJournal, Wrong, examine};

/// A run that was approved, failed after a retry, and was rolled back.
const ROLLED_BACK: &str = include_str!("data/rolled-back.jsonl");
/// A run of one step.
const SUCCEEDED: &str = include_str!("data/succeeded.jsonl");

/// Lines, and what is wrong with each in one word.
type Told = Vec<(u64, &'static str)>;

fn findings(text: &str) -> Told {
    let examined = examine(text.as_bytes());
    examined.findings.iter().map(|finding| (finding.line, finding.wrong.word())).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// The record with its lines changed.
fn with(change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut lines = lines(ROLLED_BACK);
    change(&mut lines);
    lines.concat()
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    runbook_core::hex(&sha2::Sha256::digest(text.as_bytes()))
}

#[test]
fn a_record_that_is_as_it_was_sealed_has_nothing_wrong() {
    for (text, state) in [(ROLLED_BACK, EndState::RolledBack), (SUCCEEDED, EndState::Succeeded)] {
        let Examined { findings, lines, seals, head, run } = examine(text.as_bytes());
        assert_eq!(findings, []);
        assert_eq!((lines, seals), (text.lines().count() as u64, vec![text.lines().count() as u64]));
        assert_eq!(head.as_str(), sha256(text.lines().last().unwrap()));
        assert_eq!(run.end().unwrap().state, state);
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let end = lines(ROLLED_BACK).len() as u64;
    let table: Vec<(&str, String, Told)> = vec![
        ("a byte of a text", with(|lines| lines[3] = lines[3].replace("\"at\":1", "\"at\":2")), vec![(4, "chain")]),
        ("a bracket", with(|lines| lines[3] = lines[3].replace("\"event\":{", "\"event\":[")), vec![(4, "unreadable")]),
        ("a space", with(|lines| lines[3] = lines[3].replacen(',', ", ", 1)), vec![(4, "form"), (4, "chain")]),
        ("removed", with(|lines| drop(lines.remove(5))), vec![(6, "order"), (end - 1, "seal")]),
        ("doubled", with(|lines| lines.insert(5, lines[5].clone())), vec![(7, "order"), (end + 1, "seal")]),
        ("swapped", with(|lines| lines.swap(5, 6)), vec![(6, "order"), (7, "order"), (8, "order")]),
        ("the first removed", with(|lines| drop(lines.remove(0))), vec![(1, "order"), (end - 1, "seal")]),
        ("the seal removed", with(|lines| drop(lines.pop())), vec![(end - 1, "not_sealed")]),
        ("cut", ROLLED_BACK[..ROLLED_BACK.len() - 1].to_owned(), vec![(end, "cut")]),
        (
            "cut in the middle",
            ROLLED_BACK[..ROLLED_BACK.trim_end().rfind('\n').unwrap() - 20].to_owned(),
            vec![(end - 1, "unreadable"), (end - 1, "cut"), (end - 1, "not_sealed")],
        ),
        ("an empty line", format!("{ROLLED_BACK}\n"), vec![(end + 1, "unreadable"), (end + 1, "not_sealed")]),
        ("nothing", String::new(), vec![(1, "not_sealed")]),
        ("the seal's engine", ROLLED_BACK.replace("0.1.0", "0.1.1"), vec![(end, "seal")]),
        (
            "an unknown event",
            ROLLED_BACK.replace("\"type\":\"always_started\"", "\"type\":\"never_started\""),
            vec![(end - 2, "chain"), (end - 2, "unreadable")],
        ),
    ];
    for (what, text, mut expected) in table {
        let mut found = findings(&text);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{what}: {:#?}", examine(text.as_bytes()).findings);
    }
}

#[test]
fn each_alteration_is_told() {
    let text = with(|lines| {
        lines[2] = lines[2].replace("\"at\":1", "\"at\":2");
        lines.remove(9);
        lines[20] = "no\n".to_owned();
    });
    let found: Vec<u64> = findings(&text).into_iter().map(|(line, _)| line).collect();
    assert!([3, 10, 21].iter().all(|line| found.contains(line)), "{found:?}");
}

/// Gives each line from this one on the hash of the one before, as somebody does who wants to hide a change.
fn rechained(lines: &mut [String], from: usize) {
    for at in from.max(1)..lines.len() {
        let hash = sha256(lines[at - 1].trim_end());
        let start = lines[at].find("\"prev\":\"").unwrap() + 8;
        lines[at].replace_range(start..start + 64, &hash);
        if !lines[at].contains("\"seal\":{") {
            continue;
        }
        let digest = lines[at].find(",\"digest\":\"").unwrap();
        let body = format!("{}}}", &lines[at][..digest]);
        lines[at] = format!("{},\"digest\":\"{}\"}}\n", &lines[at][..digest], sha256(&body));
    }
}

#[test]
fn whoever_chains_it_anew_must_still_tell_a_story_that_can_be() {
    let changed = |from: &str, to: &str| {
        with(|lines| {
            let at = lines.iter().position(|line| line.contains(from)).unwrap();
            lines[at] = lines[at].replace(from, to);
            rechained(lines, at + 1);
        })
    };
    assert_eq!(findings(&changed("seen in the graphs", "seen in my dreams")), [], "this is what signatures are for");
    let order = findings(&changed("\"type\":\"step_undone\"", "\"type\":\"cancel_grace_over\""));
    assert!(order.iter().any(|(_, word)| *word == "illegal" || *word == "unreadable"), "{order:?}");
    assert!(findings(&changed("\"text\":\"exit 7\"", "\"text\":\"exit 8\"")).contains(&(1, "plan")));
    let cut = with(|lines| {
        let last = lines.len() - 2;
        lines.remove(last);
        lines[last] = lines[last].replace(&format!("\"seq\":{}", last + 1), &format!("\"seq\":{last}"));
        lines[last] = lines[last].replace(&format!("\"lines\":{}", last + 1), &format!("\"lines\":{last}"));
        rechained(lines, last);
    });
    let early = examine(cut.as_bytes()).findings;
    assert!(
        matches!(&early[..], [Finding { wrong: Wrong::Seal(why), .. }] if why == "the run had not ended"),
        "{early:?}"
    );
}

/// Alters a record somewhere; the first line that differs, counted from 1, and the last that somebody made fit again.
fn mutated(text: &str, random: &mut Random) -> (String, u64) {
    let mut lines = lines(text);
    let at = random.below(lines.len());
    let mut hidden = 0;
    match random.below(7) {
        0 => {
            let mut bytes = text.as_bytes().to_vec();
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
            // What is no text any more is compared as bytes: a lossy copy differs in the same place.
            return (String::from_utf8_lossy(&bytes).into_owned(), line as u64 + 1);
        }
        1 => drop(lines.remove(at)),
        2 => lines.insert(at, lines[random.below(lines.len())].clone()),
        3 => {
            let other = (at + 1 + random.below(lines.len() - 1)) % lines.len();
            lines.swap(at, other);
        }
        4 => {
            let keep = random.below(text.len());
            return (text[..text.floor_char_boundary(keep)].to_owned(), 0);
        }
        kind => {
            let digits: Vec<usize> = lines[at].match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).collect();
            let digit = digits[random.below(digits.len())];
            let new = if lines[at].as_bytes()[digit] == b'7' { "3" } else { "7" };
            lines[at].replace_range(digit..=digit, new);
            // The line after it carries its new hash, so that the break shows only one line later. Up to the very seal, nobody
            // could see it at all: see the test before this one.
            if kind == 6 && at + 2 < lines.len() {
                rechained(&mut lines[..at + 2], at + 1);
                hidden = 1;
            }
        }
    }
    let new = lines.concat();
    let first = text.lines().zip(new.lines()).take_while(|(one, other)| one == other).count() as u64;
    (new, first + 1 + hidden)
}

#[test]
fn a_thousand_alterations_are_found_where_they_are() {
    let mut random = Random(4711);
    let mut altered = 0;
    while altered < 1000 {
        let text = if altered % 5 == 0 { SUCCEEDED } else { ROLLED_BACK };
        let (new, line) = mutated(text, &mut random);
        if new == text {
            continue;
        }
        altered += 1;
        let found = examine(new.as_bytes()).findings;
        let first = found.first().unwrap_or_else(|| panic!("alteration {altered} of line {line} goes unseen"));
        // Of one that is cut off, nobody knows by how much; else at the place or before.
        let limit = if line == 0 { u64::MAX } else { line };
        assert!(first.line <= limit, "alteration {altered} of line {line} is told as {found:?}");
    }
}

#[test]
fn a_second_segment_is_examined_like_the_first() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(RECORD), SUCCEEDED).unwrap();
    let mut journal = RunJournal::open(dir.path()).unwrap();
    let plan = journal.load().unwrap().into_iter().find_map(|record| match record.event {
        runbook_core::event::Event::RunCreated(created) => Some(created.plan_digest.clone()),
        _ => None,
    });
    journal.append(journal.next_seq(), Timestamp(1), &crate::fixtures::events(0..2)).unwrap();
    journal.seal(Timestamp(2), &plan.unwrap(), "0.1.0").unwrap();
    let text = std::fs::read_to_string(dir.path().join(RECORD)).unwrap();
    let count = SUCCEEDED.lines().count() as u64;
    let told = |text: &str| {
        // Nothing can happen after the end of this run, so that much is always wrong with it.
        findings(text).into_iter().filter(|(_, word)| *word != "illegal").collect::<Vec<_>>()
    };
    assert_eq!(told(&text), []);
    assert_eq!(examine(text.as_bytes()).seals, [count, count + 3]);
    assert_eq!(told(&text.replacen("\"segment\":1", "\"segment\":4", 1)).first(), Some(&(count, "seal")));
    let mut unsealed = lines(&text);
    unsealed.remove(usize::try_from(count).unwrap() - 1);
    assert_eq!(told(&unsealed.concat()).first(), Some(&(count, "order")), "the seal between is missed");
    assert_eq!(told(&lines(&text)[..usize::try_from(count).unwrap() + 1].concat()), [(count + 1, "not_sealed")]);
}
