//! The inbox of a run: answers and requests, dropped as files by anyone who may, read by the engine when it is there.
//!
//! Like a maildir: a file is written under a name that is passed over, then renamed. Who wrote it is the owner of the
//! file, and when is the time at which the system last changed it, which nobody can set; neither is taken from what the file
//! says. Which run it is for does stand in it: a file that was moved to another run says nothing there.
//!
//! Whoever drops a file rings the *bell*, a named pipe that the engine listens to. The file counts, not the ringing. A
//! watch on the folder (inotify) would need no bell, but to end it takes the kernel 5 to 20 ms, more than a short run.

use std::fs::{self, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use runbook_core::event::{Identity, QuestionId, Verb};
use runbook_core::input::Answer;
use runbook_core::units::{Digest, RunId, Timestamp};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use serde::{Deserialize, Serialize};
use tokio::net::unix::pipe;

use crate::folder::{RunFolder, write_durable};
use crate::identity::identity_of;
use crate::shared;

/// The version of the format below.
const VERSION: u32 = 1;
/// A longer message is not from this program.
const BYTES_MAX: u64 = 64 * 1024;

/// What a person wants of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The answer to a question.
    Answer {
        /// Which question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
        /// What the person saw, for an approval.
        digest: Option<Digest>,
    },
    /// The run is to end.
    Cancel {
        /// How hard: 1 with grace, 2 TERM now, 3 KILL now.
        level: u8,
        /// Why, when said.
        reason: Option<String>,
    },
    /// An operator tells the run something.
    Verb {
        /// What.
        verb: Verb,
        /// Why.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    version: u32,
    /// Which run it is for; earlier versions did not say so.
    #[serde(default)]
    run: Option<RunId>,
    message: Message,
}

/// A message as found.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// Its file, removed once what follows from it is durable.
    pub file: PathBuf,
    /// Its owner.
    pub by: Identity,
    /// When it was written.
    pub written_at: Timestamp,
    /// What it says.
    pub message: Message,
}

/// Drops a message, which survives the loss of power from then on. Its file is gone once the engine has taken it, or put it aside.
///
/// # Errors
/// When the file cannot be written.
pub fn put(run: &RunFolder, message: &Message) -> io::Result<PathBuf> {
    put_as(run, message, &next_name().to_string())
}

/// The same under a name: of two with one name the second changes nothing.
///
/// # Errors
/// When the file cannot be written.
pub fn put_as(run: &RunFolder, message: &Message, name: &str) -> io::Result<PathBuf> {
    let envelope = Envelope { version: VERSION, run: Some(run.id().clone()), message: message.clone() };
    let bytes = serde_json::to_vec(&envelope)?;
    let file = if run.other_owner().is_some() {
        shared::put(run, message, &bytes, name)?
    } else {
        let file = run.inbox().join(format!("{name}.json"));
        write_durable(&file, &bytes)?;
        file
    };
    ring(run);
    Ok(file)
}

/// Wakes the engine, if there is one. An engine that does not hear it looks by itself, a little later.
fn ring(run: &RunFolder) {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Nobody listens, or the pipe is full of unheard rings: both are well.
    let Ok(bell) = rustix::fs::open(run.bell(), flags, Mode::empty()) else { return };
    let is_pipe = rustix::fs::fstat(&bell).is_ok_and(|about| FileType::from_raw_mode(about.st_mode) == FileType::Fifo);
    if is_pipe {
        let _ = rustix::io::write(&bell, b"!");
    }
}

/// The bell of a run, to listen to; made where it is missing.
///
/// # Errors
/// When it cannot be made, or something else has its name.
pub(crate) fn bell(run: &RunFolder) -> io::Result<pipe::Receiver> {
    match rustix::fs::mknodat(CWD, run.bell(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
        // Others may ring it, and not hear it. The mode of the making is cut by the umask.
        Ok(()) if run.shared().is_some() => fs::set_permissions(run.bell(), Permissions::from_mode(0o620))?,
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    // Open for writing too: otherwise the first who rings and leaves would end it.
    pipe::OpenOptions::new().read_write(true).open_receiver(run.bell())
}

/// A name that sorts behind all that this process gave before: file times are too coarse to tell two messages apart.
fn next_name() -> ulid::Ulid {
    static NAMES: Mutex<ulid::Generator> = Mutex::new(ulid::Generator::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.generate().unwrap_or_else(ulid::Overflow::commit_overflow_increment)
}

/// What the file of an answer is called after the engine found that another answer had come before it.
pub fn late(file: &Path) -> PathBuf {
    file.with_extension("late")
}

/// All messages, the oldest first. What is no message is put aside as `<name>.refused`, and said in the log.
///
/// # Errors
/// When the folder cannot be read.
pub fn read(run: &RunFolder) -> io::Result<Vec<Received>> {
    let mut found = vec![];
    for entry in fs::read_dir(run.inbox())? {
        let file = entry?.path();
        if !is_named_so(&file) {
            continue;
        }
        match read_one(&file, run.id(), false) {
            Ok((by, written_at, message)) => found.push(Received { file, by, written_at, message }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "what is in the inbox is no message");
                fs::rename(&file, file.with_extension("refused"))?;
            }
        }
    }
    found.extend(shared::read(run));
    sort(&mut found);
    Ok(found)
}

/// Answers count in the order in which they were written; names break ties.
pub(crate) fn sort(found: &mut [Received]) {
    found.sort_by(|a, b| (a.written_at, a.file.file_name()).cmp(&(b.written_at, b.file.file_name())));
}

/// The questions to which an answer lies in the inbox. For looking: nothing is moved, and what is no message is passed over.
pub fn answered(run: &RunFolder) -> Vec<QuestionId> {
    let files = fs::read_dir(run.inbox()).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let own = files.filter(|file| is_named_so(file)).filter_map(|file| Some(read_one(&file, run.id(), false).ok()?.2));
    let answer = |message| match message {
        Message::Answer { question, .. } => Some(question),
        Message::Cancel { .. } | Message::Verb { .. } => None,
    };
    own.chain(shared::unread(run)).filter_map(answer).collect()
}

/// The name of a message: what was made of it is known by that name.
pub fn name_of(file: &Path) -> Option<String> {
    file.file_stem().map(|name| name.to_string_lossy().into_owned())
}

/// Whether a file is named like a message; one that is still being written is not.
pub(crate) fn is_named_so(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    !name.starts_with('.') && name.ends_with(".json")
}

/// Reads one message for a run. From others it must say which run it is for.
pub(crate) fn read_one(path: &Path, run: &RunId, from_others: bool) -> io::Result<(Identity, Timestamp, Message)> {
    let refuse = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let file = crate::regular::open(path)?;
    let about = file.metadata()?;
    if about.nlink() != 1 {
        return Err(refuse("it has more than one name"));
    }
    if about.mode() & 0o022 != 0 {
        return Err(refuse("others than its owner could have written it"));
    }
    let mut text = String::new();
    if file.take(BYTES_MAX + 1).read_to_string(&mut text)? as u64 > BYTES_MAX {
        return Err(refuse("it is too long"));
    }
    let envelope: Envelope = serde_json::from_str(&text)?;
    if envelope.version != VERSION {
        return Err(refuse("it is of another version"));
    }
    if envelope.run.as_ref().map_or(from_others, |said| said != run) {
        return Err(refuse("it is for another run"));
    }
    let written_ms = about.ctime() * 1000 + about.ctime_nsec() / 1_000_000;
    let written_at = Timestamp(u64::try_from(written_ms).unwrap_or_default());
    Ok((identity_of(about.uid()), written_at, envelope.message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::StateFolder;
    use runbook_core::units::RunId;

    fn run() -> (tempfile::TempDir, RunFolder) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path());
        let run = state.create_run(&RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
        (folder, run)
    }

    fn cancel(level: u8) -> Message {
        Message::Cancel { level, reason: Some("drill".to_owned()) }
    }

    #[test]
    fn messages_come_back_with_their_owner_in_order() {
        let (_folder, run) = run();
        let written: Vec<Message> = (1..=50).map(cancel).collect();
        written.iter().for_each(|message| drop(put(&run, message).unwrap()));
        let found = read(&run).unwrap();
        assert_eq!(found.iter().map(|it| it.message.clone()).collect::<Vec<_>>(), written);
        assert_eq!(found[0].by, crate::identity::me());
        assert!(found[0].written_at > Timestamp(1_600_000_000_000));
    }

    #[tokio::test]
    async fn the_bell_rings_for_each_message_and_only_then() {
        let (_folder, run) = run();
        // Before there is an engine nobody hears it, and that is no error.
        put(&run, &cancel(1)).unwrap();
        let bell = bell(&run).unwrap();
        let mut rung = [0; 8];
        assert_eq!(bell.try_read(&mut rung).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        for _ in 0..2 {
            put(&run, &cancel(1)).unwrap();
            bell.readable().await.unwrap();
            assert_eq!(bell.try_read(&mut rung).unwrap(), 1);
            // Whoever rang has left: the pipe is still open, and silent.
            assert_eq!(bell.try_read(&mut rung).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn a_bell_that_is_no_pipe_is_left_alone() {
        let (_folder, run) = run();
        fs::write(run.bell(), "kept").unwrap();
        put(&run, &cancel(1)).unwrap();
        assert_eq!(fs::read_to_string(run.bell()).unwrap(), "kept");
        assert!(bell(&run).is_err());
    }

    #[test]
    fn links_pipes_garbage_and_long_files_are_put_aside() {
        let (folder, run) = run();
        let inbox = run.inbox();
        let good = folder.path().join("good");
        fs::write(&good, serde_json::to_vec(&Envelope { version: VERSION, run: None, message: cancel(1) }).unwrap())
            .unwrap();
        std::os::unix::fs::symlink(&good, inbox.join("1.json")).unwrap();
        fs::hard_link(&good, inbox.join("2.json")).unwrap();
        fs::write(inbox.join("3.json"), "not json").unwrap();
        fs::write(inbox.join("4.json"), vec![b' '; 70_000]).unwrap();
        rustix::fs::mknodat(CWD, inbox.join("5.json"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        fs::write(inbox.join("6.json"), r#"{"version":2,"message":{"cancel":{"level":1,"reason":null}}}"#).unwrap();
        assert_eq!(read(&run).unwrap(), []);
        let refused = fs::read_dir(&inbox)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "refused"));
        assert_eq!(refused.count(), 6);
    }

    #[test]
    fn what_is_for_another_run_or_could_be_from_another_user_is_put_aside() {
        let (_folder, run) = run();
        let other = RunFolder::clone(&run.state().run(&RunId::new("01BX5ZZKBKACTAV9WEVGEMMVRZ")));
        fs::create_dir_all(other.inbox()).unwrap();
        let file = put(&run, &cancel(1)).unwrap();
        fs::rename(&file, other.inbox().join("1.json")).unwrap();
        assert_eq!(read(&other).unwrap(), []);
        let file = put(&run, &cancel(1)).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read(&run).unwrap(), []);
    }

    #[test]
    fn the_time_of_a_message_cannot_be_set() {
        let (_folder, run) = run();
        let before = crate::now().0;
        let file = put(&run, &cancel(1)).unwrap();
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        fs::File::open(&file).unwrap().set_modified(long_ago).unwrap();
        let found = read(&run).unwrap();
        // The kernel's clock for files is a few milliseconds behind.
        assert!(found[0].written_at.0 + 100 >= before, "{:?}", found[0].written_at);
    }
}
