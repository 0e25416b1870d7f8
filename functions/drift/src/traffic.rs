//! Which captured files belong to a window.

use domain::{BlobPath, Time};
use ports::{Blobs, Result};

/// The captured files of an endpoint that may hold traffic of `[from, to]`, oldest first.
///
/// A day is listed at once: SageMaker writes a handful of files an hour, and a month of hours
/// would be hundreds of listings.
pub async fn files(blobs: &dyn Blobs, endpoint: &str, from: Time, to: Time) -> Result<Vec<BlobPath>> {
    let first = hour(endpoint, from);
    let last = hour(endpoint, to);
    let mut found = Vec::new();
    let mut day = from.millis().div_euclid(Time::DAY) * Time::DAY;
    while day <= to.millis() {
        let any_hour = hour(endpoint, Time::from_millis(day));
        let prefix = &any_hour[..any_hour.len() - 2];
        let mut after: Option<BlobPath> = None;
        loop {
            let page = blobs.list(prefix, after.as_ref()).await?;
            let Some(end) = page.last() else { break };
            after = Some(end.path.clone());
            let inside = |path: &BlobPath| {
                let hour = path.as_str().get(..first.len()).unwrap_or_default();
                hour >= first.as_str() && hour <= last.as_str() && path.as_str().ends_with(".jsonl")
            };
            found.extend(page.into_iter().map(|info| info.path).filter(|path| inside(path)));
        }
        day += Time::DAY;
    }
    Ok(found)
}

fn hour(endpoint: &str, at: Time) -> String {
    BlobPath::capture_hour(endpoint, at).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use simulation::MemoryBlobs;

    #[test]
    fn a_windows_files_are_those_of_its_hours() {
        let blobs = MemoryBlobs::default();
        let path = |rest: &str| BlobPath::parse(&format!("capture/taxi/AllTraffic/{rest}")).unwrap();
        let inside = [
            "2020/02/28/23/59-00-000-a.jsonl",
            "2020/02/29/05/00-00-000-b.jsonl",
            "2020/03/01/00/30-00-000-c.jsonl",
        ];
        for rest in inside {
            blobs.insert(&path(rest), "");
        }
        for rest in
            ["2020/02/28/22/00-00-000-d.jsonl", "2020/03/01/01/00-00-000-e.jsonl", "2020/02/29/05/00.tmp"]
        {
            blobs.insert(&path(rest), "");
        }
        blobs.insert(&BlobPath::parse("capture/taxi2/AllTraffic/2020/02/29/05/x.jsonl").unwrap(), "");
        let (from, to) = ("2020-02-28T23:10:00Z".parse().unwrap(), "2020-03-01T00:59:59Z".parse().unwrap());
        let found = block_on(files(&blobs, "taxi", from, to)).unwrap();
        assert_eq!(found, inside.map(path));
    }

    #[test]
    fn more_files_than_a_page_are_all_found() {
        let blobs = MemoryBlobs::default();
        for number in 0..250 {
            let path = format!("capture/taxi/AllTraffic/2020/01/01/00/{number:03}.jsonl");
            blobs.insert(&BlobPath::parse(&path).unwrap(), "");
        }
        let day = "2020-01-01".parse().unwrap();
        assert_eq!(block_on(files(&blobs, "taxi", day, day)).unwrap().len(), 250);
    }
}
