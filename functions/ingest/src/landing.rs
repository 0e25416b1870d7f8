//! What an object's key says: which pipeline, which file, of what time.

use domain::{BlobPath, PipelineName, Time};

/// What begins the folder of a key that says the business time of the rows.
const AS_OF: &str = "as_of=";

/// An object in the incoming bucket: `<pipeline>/[as_of=<time>/]…/<file>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// The first folder.
    pub pipeline: PipelineName,
    /// The whole key.
    pub path: BlobPath,
    /// The file's name.
    pub file: String,
    /// The folder that the file lies in: the upload's id, where there was a ticket.
    pub folder: String,
    /// The business time that the key says, or why it cannot be understood.
    pub as_of: Result<Option<Time>, String>,
}

impl Landing {
    /// Reads a key; none for the empty object by which S3's console keeps a folder.
    ///
    /// # Errors
    /// A key that belongs to no pipeline or cannot be a path, in a sentence for people.
    pub fn read(key: &str, size: Option<u64>) -> Result<Option<Landing>, String> {
        if key.ends_with('/') && size.is_none_or(|bytes| bytes == 0) {
            return Ok(None);
        }
        let path = BlobPath::parse(key).map_err(|error| format!("take in an upload: its key: {error}"))?;
        let Some((first, below)) = key.split_once('/') else {
            return Err(format!(
                "take in {key}: it lies in no folder, so it belongs to no pipeline; put it under <pipeline>/"
            ));
        };
        let pipeline = first.parse().map_err(|_| unknown(key, first))?;
        let folders: Vec<&str> = below.split('/').collect();
        let (file, folders) = folders.split_last().expect("a split has at least one piece");
        Ok(Some(Landing {
            pipeline,
            file: (*file).to_owned(),
            folder: folders.last().copied().unwrap_or_default().to_owned(),
            as_of: as_of(folders),
            path,
        }))
    }
}

/// The complaint about a key whose first folder is no pipeline.
pub fn unknown(key: &str, folder: &str) -> String {
    format!(
        "take in {key}: there is no pipeline {folder:?}; apply it and redrive this event, or put the file under the name of a pipeline"
    )
}

/// The business time among the folders of a key. Two of them contradict each other, and none of
/// them may be passed over.
fn as_of(folders: &[&str]) -> Result<Option<Time>, String> {
    let mut said = folders.iter().filter_map(|folder| folder.strip_prefix(AS_OF));
    let Some(first) = said.next() else { return Ok(None) };
    if said.next().is_some() {
        return Err("the key says as_of= more than once, expected one business time".into());
    }
    let time = first.parse().map_err(|error| format!("as_of= in the key: {error}"))?;
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_pipeline_folder_file_and_time() {
        let january = "2026-01-31".parse().ok();
        for (key, folder, file, time) in [
            ("taxi/a.csv", "", "a.csv", None),
            ("taxi/0123456789ab/a.csv", "0123456789ab", "a.csv", None),
            ("taxi/as_of=2026-01-31/u/a.csv", "u", "a.csv", january),
            ("taxi/as_of=2026-01-31T00:00:00.000Z/u/a.csv", "u", "a.csv", january),
            ("taxi/north/as_of=2026-01-31/a.csv", "as_of=2026-01-31", "a.csv", january),
            ("taxi/x/a b+c%20é=&.csv", "x", "a b+c%20é=&.csv", None),
        ] {
            let landing = Landing::read(key, Some(1)).unwrap().unwrap();
            assert_eq!(landing.pipeline.as_str(), "taxi", "{key}");
            assert_eq!(landing.path.as_str(), key);
            assert_eq!((landing.folder.as_str(), landing.file.as_str()), (folder, file), "{key}");
            assert_eq!(landing.as_of, Ok(time), "{key}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_understood_is_never_passed_over() {
        for (key, complaint) in [
            ("taxi/as_of=soon/a.csv", "as_of= in the key: expected a date (2026-11-23)"),
            ("taxi/as_of=/a.csv", "as_of= in the key: expected a date"),
            ("taxi/as_of=2026-01-31/as_of=2026-02-28/a.csv", "the key says as_of= more than once"),
        ] {
            let landing = Landing::read(key, Some(1)).unwrap().unwrap();
            assert!(landing.as_of.unwrap_err().starts_with(complaint), "{key}");
        }
    }

    #[test]
    fn a_folder_is_no_upload_and_keys_outside_are_refused() {
        assert_eq!(Landing::read("taxi/", Some(0)), Ok(None));
        assert_eq!(Landing::read("taxi/north/", None), Ok(None));
        for (key, complaint) in [
            ("a.csv", "take in a.csv: it lies in no folder"),
            ("Taxi/a.csv", "take in Taxi/a.csv: there is no pipeline \"Taxi\""),
            ("taxi//a.csv", "take in an upload: its key: expected a relative path"),
            ("taxi/../a.csv", "take in an upload: its key: expected a relative path"),
        ] {
            assert!(Landing::read(key, Some(1)).unwrap_err().starts_with(complaint), "{key}");
        }
    }
}
