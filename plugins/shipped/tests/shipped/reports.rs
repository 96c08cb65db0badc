//! `incident-report` writes a file.

use std::path::Path;

use serde_json::{Value, json};

use crate::kit::{refused, run};

fn inputs(file: &Path) -> Value {
    json!({"file": file.display().to_string(), "title": "Orders *stopped*", "severity": "P0"})
}

#[test]
fn what_is_given_is_written_under_its_heading_and_the_rest_is_for_people() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("reports/INC-1.md");
    let mut all = inputs(&file);
    for (name, value) in [
        ("incident", json!("INC-1")),
        ("started_at", json!("2026-07-01T09:30:00Z")),
        ("ended_at", json!("2026-07-01T11:05:30+00:00")),
        ("impact", json!("No orders.\n# 12 users <script>")),
        (
            "timeline",
            json!([{"at": "09:30", "text": "alert\n## Impact"}, {"at": "09:31", "text": "called [x](y)", "author": "m_b", "id": 7}]),
        ),
        ("action_items", json!(["A second gateway"])),
    ] {
        all[name] = value;
    }
    let outputs = run("incident-report", all).expect("it is written");
    assert_eq!(outputs["file"], file.canonicalize().expect("it is there").display().to_string());
    let text = std::fs::read_to_string(&file).expect("a file");
    let wanted = "# Post-mortem: Orders \\*stopped\\*

## Summary

- Incident: INC-1
- Severity: P0
- Started: 2026-07-01T09:30:00Z
- Ended: 2026-07-01T11:05:30Z
- Duration: 1 h 35 min
- Run: 01K0000000000000000000TEST

_To be written._

## Impact

No orders.
\\# 12 users \\<script\\>

## Timeline

- 09:30: alert \\#\\# Impact
- 09:31 (m\\_b): called \\[x\\](y)

## Root cause

_To be written._

## Resolution

_To be written._

## Action items

- [ ] A second gateway
";
    let end = text.strip_prefix(wanted).expect(&text);
    assert!(end.starts_with("\n<!-- run 01K0000000000000000000TEST sha256 ") && end.ends_with(" -->\n"), "{end}");
}

#[test]
fn what_is_there_stays_and_so_does_what_somebody_filled_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.md");
    std::fs::write(&file, "of somebody").expect("a file");
    let message = refused("incident-report", inputs(&file));
    assert!(message.ends_with("already: `overwrite: true` replaces it"), "{message}");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "of somebody");
    let mut over = inputs(&file);
    over["overwrite"] = true.into();
    run("incident-report", over.clone()).expect("it is written");
    let written = std::fs::read_to_string(&file).expect("a file");
    // The run has more to tell, and nobody has touched it yet.
    let mut more = inputs(&file);
    more["impact"] = "None.".into();
    run("incident-report", more.clone()).expect("it is written");
    let told = std::fs::read_to_string(&file).expect("a file");
    assert!(told.contains("## Impact\n\nNone.\n") && told != written, "{told}");
    let filled = told.replace("_To be written._", "It was the disk.");
    std::fs::write(&file, &filled).expect("a file");
    for again in [more, over] {
        run("incident-report", again).expect("it is there");
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), filled);
    }
}

#[test]
fn what_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").expect("a file");
    let message = refused("incident-report", inputs(&file.join("report.md")));
    assert!(message.starts_with("cannot write "), "{message}");
    let mut soon = inputs(&folder.path().join("r.md"));
    soon["started_at"] = "soon".into();
    let message = refused("incident-report", soon);
    assert!(message.starts_with("`started_at`: "), "{message}");
}
