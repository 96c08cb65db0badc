//! Processes that outlive supervisor and main process of their command: named, and ended on request.

use runbook_runtime::supervisor::{CommandState, Ended, Exit, ProcessId, Stop, command_line};

use crate::rig::{Rig, Test, block_on, gone, kill, lives};

pub(crate) const TESTS: &[Test] = &[
    ("survivors::they_are_named_and_ended_on_request", they_are_named_and_ended_on_request),
    ("survivors::a_main_process_that_ends_later_leaves_them_too", a_main_process_that_ends_later_leaves_them_too),
    ("survivors::who_ignores_term_is_killed", who_ignores_term_is_killed),
    ("survivors::nobody_is_named_when_nothing_is_left", nobody_is_named_when_nothing_is_left),
];

/// A child in the group, one in a session of its own, and one of the latter without any environment.
const TREE: &str = "sleep 300 & echo $! > one.new; mv one.new one
setsid sh -c 'env -i /bin/sleep 300 & echo $! > three.new; mv three.new three; echo $$ > two.new; mv two.new two; wait' &
exec sleep 300";

fn end_both(rig: &Rig, root: ProcessId) {
    let supervisor = rig.welcome.identity.process;
    for process in [supervisor, root] {
        kill(i32::try_from(process.pid).expect("pid"));
        assert!(gone(process));
    }
}

fn over(rig: &Rig, key: &str) -> Ended {
    let known = rig.welcome.commands.iter().find(|known| known.key.as_str() == key).expect("it is known");
    match &known.state {
        CommandState::Ended(ended) => ended.clone(),
        running => panic!("{key} should be over: {running:?}"),
    }
}

fn they_are_named_and_ended_on_request() {
    block_on(async {
        let mut rig = Rig::new().await;
        let (request, other) = (rig.sh("a.1", TREE), rig.sh("a.1.2", "sleep 300 & exec sleep 301"));
        let root = rig.started(&request).await.process;
        let spared = rig.started(&other).await.process;
        let [one, two, three] = ["one", "two", "three"].map(|name| rig.process_in(name));
        end_both(&rig, root);

        rig.reconnect().await;
        let ended = over(&rig, "a.1");
        assert_eq!((&ended.exit, ended.signalled), (&Exit::Unknown, None));
        assert_eq!(ended.survivors, [one, two], "those that carry its name");
        assert_eq!(command_line(one).as_deref(), Some("sleep 300"));
        assert_eq!(rig.run(&request).await.survivors, [one, two], "it is not started again");

        rig.signal("a.1", false);
        let ended = rig.ended("a.1").await;
        assert_eq!((&ended.exit, ended.signalled), (&Exit::Unknown, Some(Stop::Term)));
        assert!(ended.survivors.is_empty());
        assert!(![one, two, three].into_iter().any(lives), "nor those below them");
        assert!(lives(spared), "another command's are not its own");
        rig.signal("a.1", true);
        assert_eq!(rig.ended("a.1").await, ended, "it is over");

        rig.signal("a.1.2", true);
        rig.ended("a.1.2").await;
        // Also for the next supervisor.
        end_both(&rig, spared);
        rig.reconnect().await;
        assert_eq!(over(&rig, "a.1"), ended);
    });
}

fn a_main_process_that_ends_later_leaves_them_too() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig.sh("a", TREE);
        let root = rig.started(&request).await.process;
        let [one, two, three] = ["one", "two", "three"].map(|name| rig.process_in(name));
        let supervisor = rig.welcome.identity.process;
        kill(i32::try_from(supervisor.pid).expect("pid"));
        assert!(gone(supervisor));
        rig.reconnect().await;
        kill(i32::try_from(root.pid).expect("pid"));
        let ended = rig.ended("a").await;
        assert_eq!((ended.exit, ended.survivors), (Exit::Unknown, vec![one, two]));

        // The next supervisor knows it from the file, and looks again.
        end_both(&rig, one);
        rig.reconnect().await;
        assert_eq!(over(&rig, "a").survivors, [two]);
        rig.signal("a", true);
        assert_eq!(rig.ended("a").await.signalled, Some(Stop::Kill));
        assert!(![two, three].into_iter().any(lives));
    });
}

fn who_ignores_term_is_killed() {
    block_on(async {
        let mut rig = Rig::new().await;
        let script = "(trap '' TERM; sh -c 'echo $$ > one.new; mv one.new one; exec sleep 300') & exec sleep 300";
        let request = rig.sh("a", script);
        let root = rig.started(&request).await.process;
        let one = rig.process_in("one");
        end_both(&rig, root);
        rig.reconnect().await;
        rig.signal("a", false);
        rig.signal("a", true);
        assert_eq!(rig.ended("a").await.signalled, Some(Stop::Kill));
        assert!(!lives(one));
    });
}

fn nobody_is_named_when_nothing_is_left() {
    block_on(async {
        let mut rig = Rig::new().await;
        let request = rig.sh("a", "exec sleep 300");
        let root = rig.started(&request).await.process;
        end_both(&rig, root);
        rig.reconnect().await;
        assert!(over(&rig, "a").survivors.is_empty());
        rig.signal("a", true);
        let ended = rig.ended("a").await;
        assert_eq!((ended.exit, ended.signalled), (Exit::Unknown, Some(Stop::Kill)), "there was nothing to end");
    });
}
