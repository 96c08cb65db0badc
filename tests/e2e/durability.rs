//! Durability, proved by killing the real binary: nothing is lost, nothing is repeated, nobody is asked without need.

use crate::kit::{Home, kill, wait_for};

/// Steps that are not idempotent: each adds its own line.
fn appending(steps: usize) -> String {
    let mut text = "schema: runbook/v1\nid: append\ntitle: Append\nsteps:\n".to_owned();
    for number in 0..steps {
        text.push_str(&format!("  - {{id: s{number}, run: echo {number} >> lines}}\n"));
    }
    text
}

#[test]
fn an_engine_killed_at_any_moment_repeats_nothing_and_asks_nothing() {
    const STEPS: usize = 30;
    const KILLS: usize = 200;
    let expected: Vec<String> = (0..STEPS).map(|number| number.to_string()).collect();
    let mut kills = 0;
    let mut round = 0;
    while kills < KILLS {
        let home = Home::new();
        home.write("r.yaml", &appending(STEPS));
        // Another moment in each round, and again in each resumption: after so many lines, or in the very start.
        let before = kills;
        kills += home.kill_engines(round % 7, |more| {
            let so_far = before + more;
            (so_far < KILLS).then_some(1 + (round + so_far) % 5)
        });
        assert_eq!(home.lines("lines"), expected, "round {round}");
        assert_eq!(home.status()["state"], "succeeded");
        round += 1;
    }
}

#[test]
fn a_rollback_that_is_killed_undoes_each_step_once_dependents_first() {
    const STEPS: usize = 12;
    let mut text = "schema: runbook/v1\nid: undo\ntitle: Undo\non_failure: rollback\nsteps:\n".to_owned();
    for number in 0..STEPS {
        text.push_str(&format!("  - {{id: s{number}, run: 'true', rollback: {{run: echo {number} >> undone}}}}\n"));
    }
    text.push_str("  - {id: broken, run: 'false'}\n");
    let expected: Vec<String> = (0..STEPS).rev().map(|number| number.to_string()).collect();
    for stop_after in 0..STEPS {
        let home = Home::new();
        home.write("r.yaml", &text);
        let mut engine = home.start(&["exec", "r.yaml"]);
        wait_for("the rollback", || {
            let ended = engine.try_wait().expect("a child").is_some();
            (ended || home.lines("undone").len() > stop_after).then_some(())
        });
        let _ = engine.kill();
        engine.wait().expect("an end");
        let outcome = home.run(&["resume", "last"]);
        assert_eq!(outcome.status.code(), Some(2), "{}", String::from_utf8_lossy(&outcome.stderr));
        assert_eq!(home.lines("undone"), expected);
    }
}

#[test]
fn when_all_is_killed_only_what_ran_is_asked_about() {
    for round in 0..50 {
        let home = Home::new();
        // `fast` has ended when the blow comes, `slow` runs, `next` was never started.
        home.write(
            "r.yaml",
            "schema: runbook/v1\nid: blow\ntitle: Blow\nsteps:\n  - {id: fast, run: echo fast >> lines}\n  \
             - {id: slow, run: 'echo $$ > pid; echo slow >> lines; exec sleep 300'}\n  \
             - {id: next, run: echo next >> lines}\n",
        );
        let mut engine = home.start(&["exec", "r.yaml"]);
        wait_for("the slow step", || (home.lines("lines").len() == 2).then_some(()));
        let supervisor = wait_for("the supervisor", || home.supervisor_pid());
        let slow: i32 = home.lines("pid")[0].parse().expect("a pid");
        kill(supervisor);
        engine.kill().expect("a kill");
        kill(slow);
        engine.wait().expect("an end");

        let outcome = home.run(&["resume", "last", "--exit-when-waiting"]);
        assert_eq!(outcome.status.code(), Some(6), "{}", String::from_utf8_lossy(&outcome.stderr));
        let status = home.status();
        let questions = status["questions"].as_array().expect("questions");
        assert_eq!(questions.len(), 1, "round {round}: {questions:?}");
        assert_eq!((&questions[0]["step"], &questions[0]["kind"]), (&"slow".into(), &"interrupted".into()));
        assert_eq!(home.lines("lines"), ["fast", "slow"]);

        assert_eq!(home.run(&["answer", "last", "--took-effect"]).status.code(), Some(0));
        let outcome = home.run(&["resume", "last"]);
        assert_eq!(outcome.status.code(), Some(0), "{}", String::from_utf8_lossy(&outcome.stderr));
        assert_eq!(home.lines("lines"), ["fast", "slow", "next"]);
    }
}
