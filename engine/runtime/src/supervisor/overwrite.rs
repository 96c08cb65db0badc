//! Taking secrets out of a file that was written before they were known.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::mask::Masker;

/// How much of a file is looked at at once, in bytes.
const CHUNK: usize = 1024 * 1024;

impl Masker {
    /// Overwrites every secret in a file with as many `*`: its length stays, so that whoever appends to it at the same time
    /// is not disturbed. Says how many secrets there were. One of which only the beginning is there is not found.
    ///
    /// # Errors
    /// When the file cannot be read or written; what was found before is overwritten.
    pub fn overwrite(&self, file: &File) -> io::Result<u64> {
        let (mut at, mut found) = (0, 0);
        let mut text = vec![];
        while !self.is_empty() {
            // What begins in a chunk is whole in it or in the part that the next one repeats.
            text.resize(CHUNK + self.longest(), 0);
            let read = read_at(file, &mut text, at)?;
            let is_last = read < text.len();
            let hold = if is_last { read } else { CHUNK };
            for secret in self.places(&text[..read], hold) {
                file.write_all_at(&b"*".repeat(secret.len()), at + secret.start as u64)?;
                found += 1;
            }
            if is_last {
                break;
            }
            at += hold as u64;
        }
        Ok(found)
    }
}

/// As much as there is, up to the length of the buffer.
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::supervisor::Secret;

    fn overwritten(text: &[u8], secrets: &[&str]) -> (Vec<u8>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, text).unwrap();
        let secrets: Vec<Secret> = secrets.iter().copied().map(Secret::new).collect();
        let masker = Masker::new(&secrets).unwrap();
        let found = masker.overwrite(&fs::OpenOptions::new().read(true).write(true).open(&path).unwrap()).unwrap();
        (fs::read(&path).unwrap(), found)
    }

    #[test]
    fn secrets_become_as_many_stars_in_all_their_forms() {
        let text = b"token swordfish1, again swordfish1swordfish1; c3dvcmRmaXNoMQ== and sword";
        let (left, found) = overwritten(text, &["swordfish1"]);
        let left = String::from_utf8(left).unwrap();
        assert_eq!(left.len(), text.len());
        assert!(
            left.starts_with("token **********, again ********************; ") && left.ends_with(" and sword"),
            "{left}"
        );
        assert!(!left.contains("c3dvcmRm"), "{left}");
        assert!(found >= 3, "{found}");
        assert_eq!(overwritten(text, &[]), (text.to_vec(), 0));
    }

    #[test]
    fn secrets_that_overlap_leave_no_end_of_either() {
        let (left, _) = overwritten(b"<abcdefgh>", &["abcdef", "defgh"]);
        assert_eq!(left, b"<********>");
    }

    #[test]
    fn a_secret_across_the_parts_of_a_long_file_is_found() {
        let secret = b"swordfish1";
        for shift in [0, 1, 5, secret.len(), 100] {
            let mut text = vec![b'.'; CHUNK * 2 + 300];
            let first = CHUNK - shift;
            text[first..first + secret.len()].copy_from_slice(secret);
            let end = text.len() - secret.len();
            text[end..].copy_from_slice(secret);
            let (left, found) = overwritten(&text, &["swordfish1"]);
            assert_eq!((found, left.len()), (2, text.len()), "{shift}");
            assert_eq!(left.iter().filter(|byte| **byte == b'*').count(), 2 * secret.len(), "{shift}");
        }
    }
}
