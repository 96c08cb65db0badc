//! Lines that a person types, without ever making anything wait for them.
//!
//! The terminal stays as it is: it echoes, it can be edited, and Ctrl-C stays the signal that the engine hears. A line
//! counts with its end only, so that neither a closed terminal nor Ctrl-D is an answer.

use std::io::IsTerminal as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};

/// More than this on one line is no answer to anything.
const LINE_MAX: usize = 4096;

/// The terminal that a person types at.
pub(crate) struct Tty {
    typed: Vec<u8>,
}

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Nothing yet.
    Nothing,
    /// A line, without its end.
    Line(String),
    /// Nothing ever again: the terminal is gone, or its input was ended.
    Closed,
}

impl Tty {
    /// The terminal, when there is one to ask at.
    pub(crate) fn open() -> Option<Self> {
        (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()).then_some(Self { typed: vec![] })
    }

    /// Forgets what was typed so far: it was not meant for the question that is shown next.
    pub(crate) fn forget(&mut self) {
        self.typed.clear();
        if in_foreground() {
            // Where it cannot be done there is nothing to forget either.
            let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
        }
    }

    /// What was typed, without waiting.
    pub(crate) fn read(&mut self) -> Typed {
        // Reading in the background would stop the whole process, engine and all.
        if !in_foreground() {
            return Typed::Nothing;
        }
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_err() {
            return Typed::Nothing;
        }
        let events = fds[0].revents();
        if !events.contains(PollFlags::IN) {
            let is_gone = events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
            return if is_gone { Typed::Closed } else { Typed::Nothing };
        }
        let mut bytes = [0; LINE_MAX];
        match rustix::io::read(&stdin, &mut bytes) {
            Ok(0) => Typed::Closed,
            Ok(count) => self.take(&bytes[..count]),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Typed::Nothing,
            Err(_) => Typed::Closed,
        }
    }

    /// A terminal gives one line at a time; one that is set otherwise, parts of it.
    fn take(&mut self, bytes: &[u8]) -> Typed {
        self.typed.extend_from_slice(bytes);
        let Some(end) = self.typed.iter().position(|byte| *byte == b'\n') else {
            if self.typed.len() > LINE_MAX {
                self.typed.clear();
            }
            return Typed::Nothing;
        };
        let line = String::from_utf8_lossy(&self.typed[..end]).trim().to_owned();
        // What follows was typed before the answer to this line was seen.
        self.typed.clear();
        Typed::Line(line)
    }
}

fn in_foreground() -> bool {
    tcgetpgrp(std::io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_line_counts() {
        let mut tty = Tty { typed: vec![] };
        assert_eq!(tty.take(b"appr"), Typed::Nothing);
        assert_eq!(tty.take(b"ove \nreject\n"), Typed::Line("approve".to_owned()));
        assert_eq!(tty.take(b"x"), Typed::Nothing);
        assert_eq!(tty.take(b"\n"), Typed::Line("x".to_owned()));
        assert_eq!(tty.take(&[b'a'; LINE_MAX + 1]), Typed::Nothing);
        assert_eq!(tty.take(b"r\n"), Typed::Line("r".to_owned()));
    }
}
