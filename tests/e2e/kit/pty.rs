//! A terminal of its own for the program under test: what a person sees, types and closes.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::time::Instant;

use pty_process::blocking::Pty;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;

use super::{Home, LIMIT};

/// Wide enough that no line of the program is cut.
const SIZE: (u16, u16) = (50, 200);

/// What the key Ctrl-C sends.
const CTRL_C: &str = "\x03";

/// A program on a pty: the leader of a session of its own, with the pty as its controlling terminal.
///
/// Without `TERM` in its environment the program prints lines and asks questions; with `TERM=xterm` it draws. Dropping it closes the
/// terminal and leaves the program alone.
pub(crate) struct Terminal {
    pty: Pty,
    child: Child,
    raw: Vec<u8>,
    /// How much of the text was looked through already.
    mark: usize,
    is_closed: bool,
}

impl Terminal {
    /// Starts a command on a new terminal; its environment and folder stay as they were given.
    pub(crate) fn open(command: Command) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("a pty");
        pty.resize(pty_process::Size::new(SIZE.0, SIZE.1)).expect("a size");
        let child = pty_process::blocking::Command::from(command).spawn(pts).expect("the program starts");
        Self { pty, child, raw: vec![], mark: 0, is_closed: false }
    }

    /// The process on the terminal.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Everything seen so far, without colours and cursor movements.
    pub(crate) fn text(&self) -> String {
        console::strip_ansi_codes(&String::from_utf8_lossy(&self.raw)).replace('\r', "")
    }

    /// Reads until a text appears after what was found before; what came up to the end of it.
    pub(crate) fn until(&mut self, wanted: &str) -> String {
        let started = Instant::now();
        loop {
            let text = self.text();
            let fresh = text.get(self.mark..).unwrap_or_default();
            if let Some(at) = fresh.find(wanted) {
                let end = self.mark + at + wanted.len();
                let found = text[self.mark..end].to_owned();
                self.mark = end;
                return found;
            }
            assert!(!self.is_closed, "the terminal closed and `{wanted}` never came; it showed:\n{text}");
            assert!(started.elapsed() < LIMIT, "`{wanted}` never came; the terminal showed:\n{text}");
            self.read();
        }
    }

    /// Types a line, with Enter.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.type_keys(&format!("{line}\n"));
    }

    /// Presses Ctrl-C: the terminal makes a signal of it for the process group in its foreground.
    pub(crate) fn ctrl_c(&mut self) {
        self.type_keys(CTRL_C);
    }

    fn type_keys(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Whether the process has ended; reads what it has to say meanwhile.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.read();
        self.child.try_wait().expect("a child").is_some()
    }

    /// Reads until the process ends, and gives its exit code.
    pub(crate) fn end(&mut self) -> i32 {
        let started = Instant::now();
        while !self.has_ended() {
            assert!(started.elapsed() < LIMIT, "the program never ended; the terminal showed:\n{}", self.text());
        }
        while self.read() {}
        let status = self.child.wait().expect("an end");
        status.code().unwrap_or_else(|| panic!("{status}; the terminal showed:\n{}", self.text()))
    }

    /// Closes the terminal, as when its window is closed or the connection is lost. The kernel sends SIGHUP.
    pub(crate) fn hang_up(self) -> Child {
        self.child
    }

    /// Takes what is there to read, after a short wait for it; whether there was something.
    fn read(&mut self) -> bool {
        let wait = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        if self.is_closed {
            // Nothing more will come; whoever waits for the process waits here.
            let _ = poll(&mut [], Some(&wait));
            return false;
        }
        let mut fds = [PollFd::new(&self.pty, PollFlags::IN)];
        if poll(&mut fds, Some(&wait)).unwrap_or(0) == 0 {
            return false;
        }
        let mut bytes = [0; 4096];
        match self.pty.read(&mut bytes) {
            Ok(count) if count > 0 => {
                self.raw.extend_from_slice(&bytes[..count]);
                true
            }
            // EIO: nobody holds the other end any more.
            _ => {
                self.is_closed = true;
                false
            }
        }
    }
}

impl Home {
    /// The program on a terminal of its own on which it can draw.
    pub(crate) fn drawing(&self, args: &[&str]) -> Terminal {
        let mut command = self.command(args);
        command.env("TERM", "xterm-256color");
        Terminal::open(command)
    }
}
