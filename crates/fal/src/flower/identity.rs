//! Who a node is: a key pair on the curve P-384, with which it signs every request.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use experiment::atomic::write_atomically;
use p384::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p384::ecdsa::{DerSignature, SigningKey};
use p384::elliptic_curve::Generate;
use p384::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Header with the node's public key.
pub const PUBLIC_KEY_HEADER: &str = "flwr-public-key";
/// Header with the time of the request.
pub const TIMESTAMP_HEADER: &str = "flwr-timestamp";
/// Header with the signature of the time.
pub const SIGNATURE_HEADER: &str = "flwr-signature";

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("cannot read the key {}; give the path of a key, or let a new one be made there", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the key {}; give a path in a folder that exists and that you may write to", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Others could read the file.
    #[error("other users may read the key {}; run `chmod 600` on it, or make a new key if they have", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{} is no key on the curve P-384 in PKCS#8 and PEM; `ssh-keygen -t ecdsa -b 384 -m PKCS8 -N ''` makes one", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gives no random numbers.
    #[error(
        "no key can be made without random numbers of the operating system; see that `getrandom` is allowed here"
    )]
    Random,
    /// The clock shows a time that cannot be written.
    #[error("the clock shows a year that cannot be signed; set it")]
    Time,
    /// The key cannot be written as text.
    #[error("the public key cannot be encoded; make a new key")]
    Encoding,
}

impl IdentityError {
    /// Whether another file would do.
    pub(super) fn is_of_file(&self) -> bool {
        !matches!(self, Self::Random | Self::Time | Self::Encoding)
    }
}

/// A key pair. What it shows of itself is the public half alone.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    public_pem: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Identity").field("public_pem", &self.public_pem).finish()
    }
}

/// The headers of one request, which the SuperLink accepts for five minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTime {
    /// [`PUBLIC_KEY_HEADER`]: the public key in PEM, in base 64.
    pub public_key: String,
    /// [`TIMESTAMP_HEADER`]: the time, in RFC 3339.
    pub timestamp: String,
    /// [`SIGNATURE_HEADER`]: the ECDSA signature of the time's SHA-256, in DER and base 64.
    pub signature: String,
}

impl Identity {
    /// A new key pair, for as long as it is in memory.
    ///
    /// # Errors
    /// [`IdentityError::Random`].
    pub fn generate() -> Result<Self, IdentityError> {
        Self::of(SigningKey::try_generate().map_err(|_| IdentityError::Random)?)
    }

    /// The key pair in the file `path`, or a new one that is written there. The public half is written beside it as by
    /// [`Self::create`] where it is absent and the folder allows it.
    ///
    /// # Errors
    /// Those of [`Self::load`] and [`Self::create`].
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        let identity = match Self::load(path) {
            Err(IdentityError::Read { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                return Self::create(path);
            }
            loaded => loaded?,
        };
        // A kill may have come between the two files. The node itself never reads the public one, so a key in a folder that
        // cannot be written to is used as it is.
        if !public_path(path).exists() {
            let _ = identity.write_public(path);
        }
        Ok(identity)
    }

    /// The key pair in the file `path`.
    ///
    /// # Errors
    /// [`IdentityError::Read`], [`IdentityError::Exposed`] or [`IdentityError::Format`].
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let unreadable = |cause| IdentityError::Read { path: path.to_owned(), cause };
        let pem = std::fs::read_to_string(path).map_err(unreadable)?;
        if others_may_read(path).map_err(unreadable)? {
            return Err(IdentityError::Exposed { path: path.to_owned() });
        }
        let key = SigningKey::from_pkcs8_pem(&pem);
        Self::of(key.map_err(|_| IdentityError::Format { path: path.to_owned() })?)
    }

    /// A new key pair, written to the file `path`, which only its owner may read. A file that is there is left alone. The
    /// public half is written beside it, with `.pub` after its name, for `flwr supernode register`.
    ///
    /// # Errors
    /// [`IdentityError::Write`], also where there is a file; [`IdentityError::Random`].
    pub fn create(path: &Path) -> Result<Self, IdentityError> {
        let identity = Self::generate()?;
        let unwritable = |cause| IdentityError::Write { path: path.to_owned(), cause };
        let pem = identity.key.to_pkcs8_pem(LineEnding::LF);
        let pem = pem.map_err(|_| IdentityError::Encoding)?;
        write_secret(path, pem.as_bytes()).map_err(unwritable)?;
        identity.write_public(path)?;
        Ok(identity)
    }

    /// Writes the public half beside the file `path` of the key.
    fn write_public(&self, path: &Path) -> Result<(), IdentityError> {
        let public = public_path(path);
        write_atomically(&public, self.public_ssh().as_bytes())
            .map_err(|cause| IdentityError::Write { path: public, cause })
    }

    fn of(key: SigningKey) -> Result<Self, IdentityError> {
        let public_pem = key.verifying_key().to_public_key_pem(LineEnding::LF);
        Ok(Self { public_pem: public_pem.map_err(|_| IdentityError::Encoding)?, key })
    }

    /// The public key in PEM, by which a SuperLink knows the node.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The public key as OpenSSH writes it, which `flwr supernode register` reads.
    pub fn public_ssh(&self) -> String {
        let point = self.key.verifying_key().to_sec1_point(false);
        let fields: [&[u8]; 3] = [b"ecdsa-sha2-nistp384", b"nistp384", point.as_bytes()];
        let with_length = |field: &[u8]| [&(field.len() as u32).to_be_bytes(), field].concat();
        let blob: Vec<u8> = fields.into_iter().flat_map(with_length).collect();
        format!("ecdsa-sha2-nistp384 {} fal\n", STANDARD.encode(blob))
    }

    /// Signs the present time.
    ///
    /// # Errors
    /// [`IdentityError::Time`], if the clock is before the year 0 or beyond 9999.
    pub fn sign_now(&self) -> Result<SignedTime, IdentityError> {
        self.sign(OffsetDateTime::now_utc())
    }

    /// Whether `signature`, in DER and base 64, is this key's for `timestamp`.
    pub fn verifies(&self, timestamp: &str, signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        let Ok(signature) = DerSignature::try_from(signature.as_slice()) else { return false };
        let hash = Sha256::digest(timestamp);
        self.key.verifying_key().verify_prehash(&hash, &signature).is_ok()
    }

    fn sign(&self, now: OffsetDateTime) -> Result<SignedTime, IdentityError> {
        let timestamp = now.format(&Rfc3339).map_err(|_| IdentityError::Time)?;
        // SHA-256 is what Flower uses with every curve; the curve's own would be SHA-384.
        let hash = Sha256::digest(&timestamp);
        let signature: DerSignature =
            self.key.sign_prehash(&hash).map_err(|_| IdentityError::Encoding)?;
        Ok(SignedTime {
            public_key: STANDARD.encode(&self.public_pem),
            timestamp,
            signature: STANDARD.encode(signature.as_bytes()),
        })
    }
}

/// Where the public half of the key in the file `path` is.
fn public_path(path: &Path) -> PathBuf {
    path.with_added_extension("pub")
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// Other systems have no such bits; there the folder protects the file.
#[cfg(not(unix))]
fn others_may_read(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Writes a file that only its owner may read, whole or not at all, and never over another one.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A temporary file has the mode 0600 from its beginning.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist_noclobber(path).map_err(|failure| failure.error)?;
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_hold_for_their_time_and_key_alone() {
        let identity = Identity::generate().unwrap();
        let signed = identity.sign_now().unwrap();
        assert!(identity.verifies(&signed.timestamp, &signed.signature));
        assert!(!identity.verifies(&signed.timestamp.replace('T', "t"), &signed.signature));
        assert!(!Identity::generate().unwrap().verifies(&signed.timestamp, &signed.signature));
        assert!(!identity.verifies(&signed.timestamp, "no base 64"));
        assert!(!identity.verifies(&signed.timestamp, "AAAA"));
        assert_eq!(STANDARD.decode(&signed.public_key).unwrap(), identity.public_pem().as_bytes());
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        let now = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_250_000_000).unwrap();
        let signed = Identity::generate().unwrap().sign(now).unwrap();
        assert_eq!(signed.timestamp, "2023-11-14T22:13:20.25Z");
        let before_christ = OffsetDateTime::from_unix_timestamp(-63_000_000_000).unwrap();
        let refused = Identity::generate().unwrap().sign(before_christ);
        assert!(matches!(refused, Err(IdentityError::Time)));
    }

    #[test]
    fn a_key_is_made_once_and_then_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.pem");
        let made = Identity::load_or_create(&path).unwrap();
        let read = Identity::load_or_create(&path).unwrap();
        assert_eq!(made.public_pem(), read.public_pem());
        assert!(matches!(Identity::create(&path), Err(IdentityError::Write { .. })));
        let public = std::fs::read_to_string(folder.path().join("node.pem.pub")).unwrap();
        assert_eq!(public, made.public_ssh());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary is left");
        let shown = format!("{made:?}");
        assert!(shown.contains("PUBLIC KEY") && !shown.contains("PRIVATE"), "{shown}");
    }

    #[test]
    fn a_public_half_that_is_absent_is_written_and_one_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.pem");
        let public = folder.path().join("node.pem.pub");
        let made = Identity::create(&path).unwrap();
        std::fs::remove_file(&public).unwrap();
        let read = Identity::load_or_create(&path).unwrap();
        assert_eq!(made.public_pem(), read.public_pem());
        assert_eq!(std::fs::read_to_string(&public).unwrap(), made.public_ssh());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary is left");
        std::fs::write(&public, "with a name of its own").unwrap();
        Identity::load_or_create(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&public).unwrap(), "with a name of its own");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_whose_public_half_cannot_be_written_is_used_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.pem");
        let public = folder.path().join("node.pem.pub");
        let made = Identity::create(&path).unwrap();
        std::fs::remove_file(&public).unwrap();
        // Unlike permissions, a link into a folder that is not there stops the superuser too.
        std::os::unix::fs::symlink("absent/node.pem.pub", &public).unwrap();
        let read = Identity::load_or_create(&path).unwrap();
        assert_eq!(made.public_pem(), read.public_pem());
        assert!(!public.exists());
    }

    #[cfg(unix)]
    #[test]
    fn others_must_not_read_a_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.pem");
        Identity::create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Identity::load(&path).unwrap_err();
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }

    #[test]
    fn keys_that_cannot_be_used_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("no/such.pem");
        assert!(matches!(Identity::load(&absent), Err(IdentityError::Read { .. })));
        assert!(matches!(Identity::load_or_create(&absent), Err(IdentityError::Write { .. })));
        let path = folder.path().join("other.pem");
        write_secret(&path, b"-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
        let refused = Identity::load(&path).unwrap_err();
        assert!(refused.to_string().contains("ssh-keygen"), "{refused}");
    }
}
