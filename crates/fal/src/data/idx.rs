//! The idx format: a magic number, big-endian dimensions, bytes.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::DataError;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Two zero bytes and the code for unsigned bytes; the number of dimensions follows.
const UNSIGNED_BYTES: [u8; 3] = [0, 0, 8];

/// An array of bytes, in row-major order.
#[derive(Debug, PartialEq)]
pub(super) struct Idx {
    pub(super) dimensions: Vec<usize>,
    pub(super) values: Vec<u8>,
}

/// The bytes of a file, decompressed where they are a gzip stream, whatever the file is called.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes =
        fs::read(path).map_err(|source| DataError::Access { path: path.to_owned(), source })?;
    decompress(bytes, &path.display().to_string())
}

/// `bytes` as they are, or unpacked if they are a gzip stream.
pub(super) fn decompress(bytes: Vec<u8>, file: &str) -> Result<Vec<u8>, DataError> {
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    match MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked) {
        Ok(_) => Ok(unpacked),
        Err(source) => Err(DataError::Compressed { file: file.to_owned(), source }),
    }
}

/// Reads an idx file of unsigned bytes.
pub(super) fn parse(mut bytes: Vec<u8>, file: &str) -> Result<Idx, DataError> {
    let not_idx = |found: String| DataError::NotIdx { file: file.to_owned(), found };
    let rank = match bytes.as_slice() {
        [a, b, c, rank, ..] if [*a, *b, *c] == UNSIGNED_BYTES && *rank > 0 => usize::from(*rank),
        [] => return Err(not_idx("the file is empty".into())),
        beginning => {
            let beginning = &beginning[..beginning.len().min(4)];
            return Err(not_idx(format!("it begins with the bytes {beginning:02x?}")));
        }
    };
    let header = 4 + 4 * rank;
    let announced =
        |expected| DataError::Length { file: file.to_owned(), expected, found: bytes.len() };
    let (words, _) = bytes.get(4..header).ok_or_else(|| announced(header))?.as_chunks::<4>();
    let dimensions: Vec<usize> =
        words.iter().map(|word| u32::from_be_bytes(*word) as usize).collect();
    let size = dimensions.iter().try_fold(1_usize, |size, next| size.checked_mul(*next));
    let size = size.ok_or_else(|| not_idx(format!("its dimensions are {dimensions:?}")))?;
    if bytes.len() - header != size {
        return Err(announced(header.saturating_add(size)));
    }
    Ok(Idx { dimensions, values: bytes.split_off(header) })
}

#[cfg(test)]
pub(super) mod test_files {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    /// An idx file of the given dimensions.
    pub(in super::super) fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
        dimensions.iter().for_each(|dimension| bytes.extend(dimension.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    /// `bytes` as a gzip stream.
    pub(in super::super) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::test_files::{gzip, idx};
    use super::*;

    #[test]
    fn plain_and_compressed_files_are_read() {
        let bytes = idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        for stored in [bytes.clone(), gzip(&bytes)] {
            let read = parse(decompress(stored, "f").unwrap(), "f").unwrap();
            assert_eq!(read, Idx { dimensions: vec![2, 1, 3], values: vec![1, 2, 3, 4, 5, 6] });
        }
    }

    #[test]
    fn files_that_are_too_short_or_too_long_are_refused() {
        let whole = idx(&[2, 3], &[0; 6]);
        let longer = [whole.clone(), vec![0]].concat();
        for (bytes, expected) in [
            (whole[..whole.len() - 1].to_vec(), whole.len()),
            (whole[..7].to_vec(), 12),
            (longer, whole.len()),
        ] {
            let found = bytes.len();
            let failure = parse(bytes, "f").unwrap_err();
            assert!(
                matches!(failure, DataError::Length { expected: e, found: f, .. } if (e, f) == (expected, found)),
                "{failure}"
            );
        }
    }

    #[test]
    fn other_files_are_refused() {
        let floats = [0, 0, 0x0d, 1, 0, 0, 0, 0].to_vec();
        let huge = idx(&[u32::MAX; 3], &[]);
        for bytes in [vec![], b"<html>".to_vec(), floats, huge, vec![0, 0], vec![0, 0, 8, 0]] {
            assert!(matches!(parse(bytes, "f"), Err(DataError::NotIdx { .. })));
        }
    }

    #[test]
    fn a_cut_or_changed_gzip_stream_is_refused() {
        let whole = gzip(&idx(&[100], &[7; 100]));
        let mut changed = whole.clone();
        let last = changed.len() - 6;
        changed[last] ^= 1;
        for damaged in [whole[..whole.len() / 2].to_vec(), changed] {
            assert!(matches!(decompress(damaged, "f"), Err(DataError::Compressed { .. })));
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let failure = read(Path::new("no/such/file")).unwrap_err().to_string();
        assert!(failure.contains("no/such/file"), "{failure}");
    }

    proptest! {
        #[test]
        fn no_bytes_bring_the_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = decompress(bytes.clone(), "f");
            let _ = parse([vec![0, 0, 8], bytes].concat(), "f");
        }
    }
}
