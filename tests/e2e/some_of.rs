//! `needs: {any: 1, of: [a, b]}` with real commands.

use crate::kit::Home;

const RACE: &str = r#"schema: runbook/v1
id: race
title: Race
steps:
  - {id: slow, needs: [], run: 'while ! [ -e go ]; do sleep 0.01; done; echo slow >> lines', timeout: 2m}
  - {id: quick, needs: [], run: 'echo quick >> lines; echo "file=q" >> "$RUNBOOK_OUTPUT"', outputs: [file]}
  - id: first
    needs: {any: 1, of: [slow, quick]}
    run: echo "first $FILE" >> lines; touch go
    env: {FILE: "{{ steps.quick.outputs.file | default('none') }}"}
"#;

#[test]
fn a_step_does_not_wait_for_the_slowest() {
    let home = Home::new();
    home.write("r.yaml", RACE);
    // The slow one ends only after the step that did not wait for it.
    let output = home.run(&["exec", "r.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(home.lines("lines"), ["quick", "first q", "slow"]);
    let plan = home.run(&["plan", "r.yaml"]);
    assert!(String::from_utf8_lossy(&plan.stdout).contains("any 1 of slow, quick"));
}
