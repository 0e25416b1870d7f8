//! What of a Parquet file is in memory, and how its end is read.

use bytes::Bytes;
use domain::Problem;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

use crate::part::TAIL_BYTES;

/// What the end of a file told.
pub(crate) enum FooterBytes {
    /// The footer.
    Ready(ParquetMetaData),
    /// So many bytes of the file's end are needed.
    Need(u64),
}

/// Reads the footer from the last bytes of a file: its length and a mark come last
/// (parquet-format, "File format").
///
/// # Errors
/// What has no such end, or is damaged.
pub(crate) fn footer(file: &str, file_bytes: u64, tail: &[u8]) -> Result<FooterBytes, Problem> {
    let wrong =
        |found: &str| Problem::new(file, "Parquet").found(found).expected("the end of a Parquet file");
    let Some((rest, [length @ .., b'P', b'A', b'R', b'1'])) = tail.split_last_chunk::<8>() else {
        return if file_bytes < 12 || tail.len() >= 8 {
            Err(wrong("no Parquet footer").hint("the file is cut off, or is no Parquet"))
        } else {
            Ok(FooterBytes::Need(TAIL_BYTES.min(file_bytes)))
        };
    };
    let length = u64::from(u32::from_le_bytes(*length));
    let needed = length + 8;
    if needed + 4 > file_bytes {
        return Err(wrong("a footer longer than the file"));
    }
    if (tail.len() as u64) < needed {
        return Ok(FooterBytes::Need(needed));
    }
    let footer = &rest[rest.len() - length as usize..];
    let metadata = guarded(|| ParquetMetaDataReader::decode_metadata(footer))
        .map_err(|error| wrong(&format!("a damaged footer: {error}")))?;
    Ok(FooterBytes::Ready(metadata))
}

/// Runs a decoder on bytes that may be damaged. The Parquet decoder answers most damage with an
/// error; where it asserts instead, the assertion becomes an error too.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ParquetError::General("the decoder gave up".to_owned())))
}

/// A range of a file, addressed by the positions of the file.
pub(crate) struct Window {
    pub(crate) start: u64,
    pub(crate) bytes: Bytes,
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Window {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let offset = start.checked_sub(self.start).filter(|&offset| offset <= self.bytes.len() as u64);
        let offset = offset.ok_or_else(|| ParquetError::EOF("outside the row group".to_owned()))?;
        Ok(bytes::Buf::reader(self.bytes.slice(offset as usize..)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let outside = || ParquetError::EOF("outside the row group".to_owned());
        let offset = start.checked_sub(self.start).ok_or_else(outside)?;
        let end = offset
            .checked_add(length as u64)
            .filter(|&end| end <= self.bytes.len() as u64)
            .ok_or_else(outside)?;
        Ok(self.bytes.slice(offset as usize..end as usize))
    }
}
