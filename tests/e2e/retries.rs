//! How often a command really runs.

use crate::kit::Home;

fn exec(step: &str) -> (Home, Option<i32>) {
    let home = Home::new();
    home.write("r.yaml", &format!("schema: runbook/v1\nid: one\ntitle: One\nsteps:\n  - id: only\n{step}"));
    let code = home.run(&["exec", "r.yaml"]).status.code();
    (home, code)
}

#[test]
fn three_attempts_are_three_real_runs() {
    let (home, code) = exec("    run: echo ran >> runs; exit 7\n    retry: {max_attempts: 3, delay: 1ms}\n");
    assert_eq!((code, home.lines("runs").len()), (Some(1), 3));
    let (home, code) =
        exec("    run: echo ran >> runs; test $(wc -l < runs) = 2\n    retry: {max_attempts: 3, delay: 1ms}\n");
    assert_eq!((code, home.lines("runs").len()), (Some(0), 2));
}

#[test]
fn only_named_failures_run_again() {
    let step = |script: &str, on: &str| {
        let (home, code) = exec(&format!(
            "    run: |\n      echo ran >> runs\n      {script}\n    retry: {{max_attempts: 3, delay: 1ms, on: {on}}}\n"
        ));
        assert_eq!(code, Some(1));
        home.lines("runs").len()
    };
    assert_eq!(step("exit 7", "{exit_codes: [7]}"), 3);
    assert_eq!(step("exit 8", "{exit_codes: [7]}"), 1);
    assert_eq!(step("echo busy >&2; exit 8", "{exit_codes: [7], if: \"'busy' in stderr\"}"), 3);
    assert_eq!(step("echo gone >&2; exit 8", "{exit_codes: [7], if: \"'busy' in stderr\"}"), 1);
    assert_eq!(step("echo busy; kill -9 $$", "{if: exit_code is none and stdout == 'busy'}"), 3);
}

#[test]
fn a_request_that_nobody_answers_is_repeated_where_that_is_named() {
    // Nothing listens there.
    let step = |on: &str| {
        let (home, code) = exec(&format!(
            "    http: {{url: 'http://127.0.0.1:9/'}}\n    retry: {{max_attempts: 2, delay: 1ms, on: {{if: {on}}}}}\n"
        ));
        assert_eq!(code, Some(1));
        home.status()["steps"][0]["attempts"].as_u64()
    };
    assert_eq!(step("response.status is none"), Some(2));
    assert_eq!(step("response.status == 503"), Some(1));
}

#[test]
fn a_poll_that_runs_out_of_time_starts_anew_and_each_look_is_in_the_record() {
    let home = Home::new();
    let step = "run: exit 1\n    until: exit_code == 0\n    every: 20ms\n    timeout: 200ms\n    retry: {max_attempts: 2, delay: 1ms}";
    home.write("r.yaml", &format!("schema: runbook/v1\nid: one\ntitle: One\nsteps:\n  - id: only\n    {step}\n"));
    let output = home.run(&["exec", "r.yaml", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let events = String::from_utf8_lossy(&output.stdout).into_owned();
    let started = |number: u32| {
        let part = format!("\"number\":{number},");
        events.lines().filter(|line| line.contains("attempt_started") && line.contains(&part)).count()
    };
    assert!(started(1) > 1 && started(2) > 1, "{events}");
    assert_eq!(started(3), 0);
}
