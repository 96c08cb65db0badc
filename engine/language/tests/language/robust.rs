//! No text makes it panic, and no size makes it slow.

use std::fmt::Write;

use runbook_language::{Look, SourceFile, load_environment, load_runbook, parse_project, peek};

use crate::{ENVIRONMENT, EVERY_KEY, environment};

/// A small generator of numbers that are the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// Loads a text as everything, and shows what is wrong with it.
fn try_all(text: &str) {
    let environment = environment();
    let file = SourceFile::new("fuzz.yaml", text);
    match load_runbook(&file, Some(&environment)) {
        Ok(loaded) => loaded.plan.check().unwrap_or_else(|broken| panic!("the engine refuses it: {broken}\n{text}")),
        Err(wrong) => {
            assert!(wrong.has_errors(), "a refusal without an error:\n{text}");
            for one in &wrong {
                assert!(!one.message.contains("a bug of runbook"), "{one}\n{text}");
            }
            assert!(wrong.to_text(Look { unicode: false, ..Look::default() }).contains("RB"));
            assert_eq!(wrong.to_json().len(), wrong.len());
        }
    }
    let _ = load_environment(&file);
    let _ = parse_project(&file);
    let _ = peek(text);
}

#[test]
fn every_prefix_of_a_runbook_is_answered() {
    let ends: Vec<usize> = EVERY_KEY.char_indices().map(|(at, _)| at).step_by(7).collect();
    for end in ends {
        try_all(&EVERY_KEY[..end]);
    }
}

#[test]
fn random_changes_never_panic() {
    const PIECES: [&str; 26] = [
        "{{",
        "}}",
        "{",
        "}",
        "[",
        "]",
        ":",
        " ",
        "\n",
        "\n  ",
        "- ",
        "*a",
        "&a ",
        "!!str ",
        "<<: ",
        "|",
        ">",
        "\"",
        "'",
        "#",
        "ä",
        "\t",
        "null",
        "0x1F",
        "steps.find.outputs.state",
        "\r\n",
    ];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for (round, base) in [EVERY_KEY, ENVIRONMENT].into_iter().cycle().take(400).enumerate() {
        let mut text: Vec<char> = base.chars().collect();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(text.len());
            match dice.roll(4) {
                0 => drop(text.drain(at..(at + 1 + dice.roll(30)).min(text.len()))),
                1 => drop(text.splice(at..at, PIECES[dice.roll(PIECES.len())].chars())),
                2 => {
                    // Lines change places.
                    let joined: String = text.iter().collect();
                    let mut lines: Vec<&str> = joined.lines().collect();
                    let (a, b) = (dice.roll(lines.len()), dice.roll(lines.len()));
                    lines.swap(a, b);
                    text = lines.join("\n").chars().collect();
                }
                _ => text[at] = PIECES[dice.roll(PIECES.len())].chars().next().unwrap_or(' '),
            }
            if text.is_empty() {
                text.push('a');
            }
        }
        let text: String = text.into_iter().collect();
        let result = std::panic::catch_unwind(|| try_all(&text));
        assert!(result.is_ok(), "round {round}:\n{text}");
    }
}

/// A chain of steps that each read the one before and the first.
fn chain(count: usize) -> String {
    let mut text = "schema: runbook/v1\nid: large\ntitle: Large\nsteps:\n".to_owned();
    for at in 0..count {
        let read = at.saturating_sub(1);
        let env = if at == 0 {
            String::new()
        } else {
            format!(", env: {{A: \"{{{{ steps.s{read}.outputs.x }}}}\", B: \"{{{{ steps.s0.outputs.x }}}}\"}}")
        };
        writeln!(text, "  - {{id: s{at}, run: echo {at}, outputs: [x]{env}}}").expect("a text takes it");
    }
    text
}

#[test]
fn ten_thousand_steps_are_checked() {
    let loaded = load_runbook(&SourceFile::new("large.yaml", chain(10_000)), None).expect("it is valid");
    assert_eq!(loaded.plan.steps.len(), 10_000);
    loaded.plan.check().expect("the engine takes it");
}

#[test]
fn ten_thousand_mistakes_are_all_reported() {
    let text = chain(5_000).replace("run:", "rum:");
    let wrong = load_runbook(&SourceFile::new("large.yaml", text), None).expect_err("nothing is right");
    assert_eq!(wrong.len(), 10_000, "an unknown key and a missing action in each step");
    let shown = wrong.to_text(Look::default());
    assert!(shown.contains("… and 9900 more"), "the limit is not silent");
    assert_eq!(wrong.to_json().len(), 10_000);
}
