//! Nothing of an ended command is left, and what a command left on purpose stays.

use runbook_runtime::supervisor::{Exit, Stop};

use crate::rig::{Rig, Test, block_on, code, gone, kill, lives};

pub(crate) const TESTS: &[Test] = &[
    ("trees::term_ends_children_and_those_in_their_own_session", term_ends_all),
    ("trees::kill_ends_children_and_those_in_their_own_session", kill_ends_all),
    ("trees::a_child_that_ignores_term_is_killed", a_child_that_ignores_term_is_killed),
    ("trees::a_grandchild_that_ignores_term_keeps_the_command_running", a_stubborn_grandchild),
    ("trees::a_daemon_without_any_tie_is_found", a_daemon_without_any_tie_is_found),
    ("trees::what_an_ended_command_left_is_spared", what_an_ended_command_left_is_spared),
    ("trees::only_the_command_that_was_asked_for_ends", only_the_command_that_was_asked_for_ends),
    ("trees::a_growing_tree_is_killed_whole", a_growing_tree_is_killed_whole),
    ("trees::a_stopped_command_takes_term", a_stopped_command_takes_term),
    ("trees::a_handler_may_clean_up", a_handler_may_clean_up),
    ("trees::orphans_are_reaped", orphans_are_reaped),
];

const TREE: &str = "sleep 300 & echo $! > one; setsid sh -c 'echo $$ > two.new; mv two.new two; exec sleep 300' & wait";

fn term_ends_all() {
    end_tree(false, Exit::Signal(15));
}

fn kill_ends_all() {
    end_tree(true, Exit::Signal(9));
}

fn end_tree(force: bool, exit: Exit) {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig.sh("a", TREE);
        rig.started(&request).await;
        let (one, two) = (rig.process_in("one"), rig.process_in("two"));
        rig.signal("a", force);
        let ended = rig.ended("a").await;
        assert_eq!(ended.exit, exit);
        assert_eq!(ended.signalled, Some(if force { Stop::Kill } else { Stop::Term }));
        assert!(ended.survivors.is_empty());
        assert!(!lives(one) && !lives(two), "over means that nothing is left");
    });
}

fn a_child_that_ignores_term_is_killed() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig.sh("a", "trap '' TERM; echo $$ > ready; while :; do sleep 300; done");
        let root = rig.started(&request).await.process;
        rig.process_in("ready");
        rig.signal("a", false);
        // The sleeps ignore TERM with it: an ignored signal is inherited.
        let other = rig.sh("b", "exit 0");
        assert_eq!(code(&rig.run(&other).await), 0);
        assert!(lives(root), "TERM is ignored");
        rig.signal("a", true);
        assert_eq!(rig.ended("a").await.exit, Exit::Signal(9));
        assert!(!lives(root));
    });
}

fn a_stubborn_grandchild() {
    block_on(async {
        let mut rig = Rig::new().await;
        let stubborn = "trap '' TERM; echo $$ > child.new; mv child.new child; while :; do sleep 300; done";
        let request = rig.sh("a", &format!("sh -c \"{}\" & wait", stubborn.replace('$', "\\$")));
        let root = rig.started(&request).await.process;
        let child = rig.process_in("child");
        rig.signal("a", false);
        assert!(gone(root), "the main process obeys");
        let other = rig.sh("b", "exit 0");
        rig.start(&other);
        assert_eq!(code(&rig.ended("b").await), 0, "`a` is not over before");
        assert!(lives(child));
        rig.signal("a", true);
        let ended = rig.ended("a").await;
        assert_eq!((ended.exit, ended.signalled), (Exit::Signal(15), Some(Stop::Kill)));
        assert!(!lives(child));
    });
}

fn a_daemon_without_any_tie_is_found() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig.sh(
            "a",
            "env -i setsid sh -c 'echo $$ > two.new; mv two.new two; exec sleep 300 >/dev/null 2>&1' & \
             env -i setsid sh -c 'setsid sh -c \"echo \\$\\$ > one.new; mv one.new one; exec sleep 300\" &' ; sleep 300",
        );
        rig.started(&request).await;
        let (one, two) = (rig.process_in("one"), rig.process_in("two"));
        rig.signal("a", true);
        rig.ended("a").await;
        assert!(!lives(one) && !lives(two));
    });
}

fn what_an_ended_command_left_is_spared() {
    block_on(async {
        let mut rig = Rig::new().await;
        // Three ways to leave a daemon, the last without any tie, while another command runs already.
        let other = rig.sh("b", "sleep 300");
        rig.started(&other).await;
        let request = rig.sh(
            "a",
            "sleep 300 & echo $! > one
             setsid sh -c 'echo $$ > two.new; mv two.new two; exec sleep 300' &
             env -i setsid sh -c 'echo $$ > three.new; mv three.new three; exec sleep 300' >/dev/null 2>&1 &
             while ! [ -e two ] || ! [ -e three ]; do sleep 0.01; done",
        );
        assert_eq!(code(&rig.run(&request).await), 0, "it does not wait for them");
        let left = [rig.process_in("one"), rig.process_in("two"), rig.process_in("three")];
        rig.signal("b", true);
        rig.ended("b").await;
        for process in left {
            assert!(lives(process), "{process:?} was left deliberately");
        }
        rig.signal("a", true);
        rig.ended("a").await;
        for process in left {
            assert!(lives(process), "`a` was over: {process:?} is not ended later");
            kill(i32::try_from(process.pid).expect("pid"));
        }
    });
}

fn only_the_command_that_was_asked_for_ends() {
    block_on(async {
        let mut rig = Rig::new().await;
        let two = |name: &str| {
            // Loses its parents, session and environment, and keeps only the output of the command.
            format!(
                "env -i setsid sh -c 'setsid sh -c \"echo \\$\\$ > {name}.new; mv {name}.new {name}; exec sleep 300\" &'; sleep 300"
            )
        };
        let (a, b) = (rig.sh("a", &two("one")), rig.sh("b", &two("two")));
        let first = rig.started(&a).await.process;
        let second = rig.started(&b).await.process;
        let (one, two) = (rig.process_in("one"), rig.process_in("two"));
        rig.signal("a", true);
        rig.ended("a").await;
        assert!(!lives(first) && !lives(one));
        assert!(lives(second) && lives(two), "`b` was not asked for");
        rig.signal("b", true);
        rig.ended("b").await;
        assert!(!lives(second) && !lives(two));
    });
}

fn a_growing_tree_is_killed_whole() {
    block_on(async {
        let mut rig = Rig::new().await;
        // Each generation leaves its session and starts the next, so there is always a young one.
        std::fs::write(
            rig.folder.join("grow"),
            "echo $$ >> pids\nif [ $(wc -l < pids) -gt 3000 ]; then exit; fi\nsetsid sh grow &\nsetsid sh grow2 &\n",
        )
        .expect("file");
        std::fs::write(rig.folder.join("grow2"), "sleep 300 & sleep 300").expect("file");
        let request = rig.sh("a", "sh grow; sleep 300");
        rig.started(&request).await;
        crate::rig::wait_for(|| (rig_lines(&rig) > 20).then_some(()));
        rig.signal("a", true);
        rig.ended("a").await;
        let lines = rig_lines(&rig);
        assert_eq!(of_run(&rig), Vec::<u32>::new());
        assert_eq!(rig_lines(&rig), lines, "nobody is left to grow");
    });
}

fn rig_lines(rig: &Rig) -> usize {
    std::fs::read_to_string(rig.folder.join("pids")).map_or(0, |text| text.lines().count())
}

/// The live processes that carry the marker of this run.
fn of_run(rig: &Rig) -> Vec<u32> {
    let marker = format!("RUNBOOK_ATTEMPT={}/", rig.folder.file_name().expect("name").to_string_lossy());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environ.windows(marker.len()).any(|part| part == marker.as_bytes()) {
            found.extend(entry.file_name().to_string_lossy().parse::<u32>());
        }
    }
    found
}

fn a_stopped_command_takes_term() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig.sh("a", "kill -STOP $$; exit 0");
        let root = rig.started(&request).await.process;
        let stopped =
            || std::fs::read_to_string(format!("/proc/{}/stat", root.pid)).ok()?.contains(") T ").then_some(());
        crate::rig::wait_for(stopped);
        rig.signal("a", false);
        assert_eq!(rig.ended("a").await.exit, Exit::Signal(15));
    });
}

fn a_handler_may_clean_up() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig
            .sh("a", "trap 'sleep 0.1; /bin/echo cleaned; exit 5' TERM; echo $$ > ready; while :; do sleep 0.01; done");
        rig.started(&request).await;
        rig.process_in("ready");
        rig.signal("a", false);
        assert_eq!(code(&rig.ended("a").await), 5);
        assert_eq!(rig.text("a.out"), "cleaned\n");
    });
}

fn orphans_are_reaped() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig.sh("a", "(sleep 0.02 & echo $! > orphan); while ! [ -e orphan ]; do :; done; sleep 300");
        rig.started(&request).await;
        let orphan = rig.process_in("orphan");
        let proc_entry = format!("/proc/{}", orphan.pid);
        crate::rig::wait_for(|| (!std::path::Path::new(&proc_entry).exists()).then_some(()));
        rig.signal("a", true);
        rig.ended("a").await;
    });
}
