//! Signatures of records: Ed25519 over the bytes of a record up to and including a seal.
//!
//! Keys and signatures are those that `openssl` makes and checks, so that nobody needs this program to verify one:
//! a PKCS#8 PEM file, its public half as PEM, and 64 bytes in `record.<segment>.sig`.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use runbook_journal::{RECORD, examine};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use crate::folder::{RunFolder, write_durable};
use crate::regular;

/// What comes before the 32 bytes of an Ed25519 key in the DER form of a public key (RFC 8410).
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A file with a key in it is no longer than this.
const KEY_BYTES_MAX: u64 = 64 * 1024;

/// The secret key that records are signed with. Nothing ever shows it.
pub struct SigningKey(Ed25519KeyPair);

/// The public half, which signatures are verified with.
pub struct PublicKey([u8; 32]);

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the key {}: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
    /// Others than its owner may read the secret key, or change it.
    #[error("the key {} has mode {:04o}: others may use it", .0.display(), .1)]
    Exposed(PathBuf, u32),
    /// It is another kind of file.
    #[error("{} holds no Ed25519 {}", .0.display(), .1)]
    Form(PathBuf, &'static str),
}

impl KeyError {
    /// The way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io(..) => None,
            Self::Exposed(path, _) => Some(format!("chmod 600 {}", path.display())),
            Self::Form(..) => Some(
                "openssl genpkey -algorithm ed25519 -out key.pem makes one, openssl pkey -in key.pem -pubout its public half"
                    .to_owned(),
            ),
        }
    }
}

/// Why a record cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It is not sealed, or not as it was written.
    #[error("the record is not as it was sealed: line {line}: {wrong}")]
    Invalid {
        /// The first line with which something is wrong.
        line: u64,
        /// What.
        wrong: String,
    },
    /// A file cannot be read or written.
    #[error("cannot sign the record: {0}")]
    Io(#[from] io::Error),
}

impl SigningKey {
    /// Reads a secret key that nobody but its owner may read.
    ///
    /// # Errors
    /// When there is none, or others may use it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::Io(path.to_owned(), error);
        // A link is as good as the file: what counts is who may read that.
        let file = regular::open(&path.canonicalize().map_err(failed)?).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed(path.to_owned(), mode));
        }
        let mut pem = vec![];
        file.take(KEY_BYTES_MAX).read_to_end(&mut pem).map_err(failed)?;
        let form = || KeyError::Form(path.to_owned(), "secret key in a PKCS#8 PEM file without a password");
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| form())?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map(Self).map_err(|_| form())
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let pem = fs::read(path).map_err(|error| KeyError::Io(path.to_owned(), error))?;
        let form = || KeyError::Form(path.to_owned(), "public key in a PEM file");
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem).map_err(|_| form())?;
        let key = der.as_ref().strip_prefix(&PUBLIC_PREFIX).ok_or_else(form)?;
        key.try_into().map(Self).map_err(|_| form())
    }

    /// Whether a signature is one of these bytes with this key.
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(bytes, signature).is_ok()
    }
}

/// The file with the signature of a segment, counted from 1, beside a record.
pub fn signature_file(record: &Path, segment: usize) -> PathBuf {
    record.with_extension(format!("{segment}.sig"))
}

/// Signs the sealed record of a run: all of it, up to its last seal.
///
/// # Errors
/// When it is not sealed, not as it was written, or the signature cannot be stored.
pub fn sign(folder: &RunFolder, key: &SigningKey) -> Result<(), SignError> {
    let record = folder.path().join(RECORD);
    let bytes = fs::read(&record)?;
    let examined = examine(&bytes);
    if let Some(finding) = examined.findings.first() {
        return Err(SignError::Invalid { line: finding.line, wrong: finding.wrong.to_string() });
    }
    Ok(write_durable(&signature_file(&record, examined.seals.len()), &key.sign(&bytes))?)
}

/// The bytes of a record up to and including a line, counted from 1.
pub fn up_to_line(bytes: &[u8], line: u64) -> &[u8] {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let count: usize = lines.take(usize::try_from(line).unwrap_or(usize::MAX)).map(<[u8]>::len).sum();
    &bytes[..count]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    // From `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout`; the signature is of `runbook\n`, by
    // `openssl pkeyutl -sign -rawin`.
    const SECRET: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIApTtP36E64jyo78c8tLi55tC4Etl0GNgqnJPUMnHXbx\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA/uymEYBJrPqcgTSpV8O1e7Th5zXuYI+O2BJPX23R5jo=\n-----END PUBLIC KEY-----\n";
    const SIGNATURE: &str = "0ikWvueL6SrZqTadT66PuPlX5UbJbzH1XcjjuG5KDtt7rmNWFBzYeNmLU6qah4E+DUeckkXnZ9Z7ynhgnlzQDQ==";

    fn written(name: &str, text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_signature_is_that_of_openssl() {
        let (_dir, secret) = written("key.pem", SECRET, 0o600);
        let key = SigningKey::read(&secret).unwrap();
        let expected = data_encoding::BASE64.decode(SIGNATURE.as_bytes()).unwrap();
        assert_eq!(key.sign(b"runbook\n"), expected);
        let (_dir, public) = written("key.pub", PUBLIC, 0o644);
        let public = PublicKey::read(&public).unwrap();
        assert!(public.verifies(b"runbook\n", &expected));
        assert!(!public.verifies(b"runbook", &expected));
        assert!(!public.verifies(b"runbook\n", &expected[1..]));
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        for mode in [0o640, 0o604, 0o660, 0o610] {
            let (_dir, secret) = written("key.pem", SECRET, mode);
            assert!(matches!(SigningKey::read(&secret), Err(KeyError::Exposed(_, found)) if found == mode), "{mode:o}");
        }
        let (_dir, readable) = written("key.pem", SECRET, 0o400);
        assert!(SigningKey::read(&readable).is_ok());
        for text in ["", "no key", PUBLIC] {
            let (_dir, path) = written("key.pem", text, 0o600);
            assert!(matches!(SigningKey::read(&path), Err(KeyError::Form(..))), "{text}");
        }
        assert!(matches!(PublicKey::read(&readable), Err(KeyError::Form(..))), "a secret key is no public one");
        assert!(matches!(SigningKey::read(Path::new("/nowhere/key")), Err(KeyError::Io(..))));
    }

    #[test]
    fn a_part_of_a_record_ends_with_its_line() {
        let text = b"one\ntwo\nthree\n";
        assert_eq!(up_to_line(text, 0), b"");
        assert_eq!(up_to_line(text, 2), b"one\ntwo\n");
        assert_eq!(up_to_line(text, 9), text);
    }
}
