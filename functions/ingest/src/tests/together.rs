//! Deliveries that run at once: every call lets the others go first.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use ports::{BlobInfo, BlobWriter, Blobs, Commit, Committed, Cx, Page, PutExpect, Record, Records, Result};
use simulation::{MemoryBlobs, MemoryRecords};

use super::*;

/// Lets whatever else is under way go on once.
struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// An adapter every call of which pauses first.
#[derive(Debug)]
struct Pausing<T>(Arc<T>);

#[async_trait]
impl Blobs for Pausing<MemoryBlobs> {
    async fn head(&self, path: &BlobPath) -> Result<Option<BlobInfo>> {
        Pause(false).await;
        self.0.head(path).await
    }

    async fn range(&self, path: &BlobPath, from: u64, length: u64) -> Result<Bytes> {
        Pause(false).await;
        self.0.range(path, from, length).await
    }

    async fn range_of(&self, path: &BlobPath, version: &str, from: u64, length: u64) -> Result<Bytes> {
        Pause(false).await;
        self.0.range_of(path, version, from, length).await
    }

    async fn writer(&self, path: &BlobPath, expect: PutExpect) -> Result<Box<dyn BlobWriter>> {
        Pause(false).await;
        self.0.writer(path, expect).await
    }

    async fn list(&self, prefix: &str, after: Option<&BlobPath>) -> Result<Vec<BlobInfo>> {
        Pause(false).await;
        self.0.list(prefix, after).await
    }

    async fn delete(&self, path: &BlobPath) -> Result<()> {
        Pause(false).await;
        self.0.delete(path).await
    }
}

#[async_trait]
impl Records for Pausing<MemoryRecords> {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        Pause(false).await;
        self.0.get(key).await
    }

    async fn list(&self, partition: &str, prefix: &str, after: Option<&str>) -> Result<Page> {
        Pause(false).await;
        self.0.list(partition, prefix, after).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed> {
        Pause(false).await;
        self.0.commit(commit).await
    }
}

pub(super) fn pausing(world: &World) -> Ingest {
    Ingest {
        records: Arc::new(Pausing(world.records.clone())),
        blobs: Arc::new(Pausing(world.blobs.clone())),
        incoming: Arc::new(Pausing(world.incoming.clone())),
    }
}

pub(super) fn at(world: &World, seconds: i64) -> Cx {
    world.cx(world.clock.now().plus(seconds * Time::SECOND))
}

#[test]
fn an_upload_delivered_with_itself_and_found_by_a_tick_becomes_one_part() {
    block_on(async {
        let (world, _) = world().await;
        let ingest = pausing(&world);
        let key = announce(&world, "0a", "a.csv", None).await;
        let event = land(&world, &key, TOLERATED);
        let tick = world.tick();
        let times = [at(&world, 0), at(&world, 1), at(&world, 2)];
        let (first, second, third) = futures::join!(
            ingest.handle(&times[0], &event),
            ingest.handle(&times[1], &event),
            ingest.handle(&times[2], &tick)
        );
        assert!(first.is_ok() && second.is_ok() && third.is_ok(), "{first:?} {second:?} {third:?}");
        let parts = parts(&world).await;
        assert_eq!((parts.len(), uploads(&world).await.len()), (1, 1));
        assert_eq!(world.kinds(&name()).await, ["PipelineApplied", "PartAccepted"]);
        assert_eq!(table(&world, &parts[0].data).rows(), 4);
        assert_eq!(tickets(&world).await, 0);
    });
}

#[test]
fn different_uploads_at_once_all_get_their_own_number() {
    block_on(async {
        let (world, _) = world().await;
        let ingest = pausing(&world);
        let inputs: Vec<Input> = (0..5)
            .map(|n| land(&world, &format!("taxi/{n}.csv"), GOOD.replace("1.5", &n.to_string())))
            .collect();
        let cx = at(&world, 0);
        let done = futures::future::join_all(inputs.iter().map(|input| ingest.handle(&cx, input))).await;
        assert!(done.iter().all(std::result::Result::is_ok), "{done:?}");
        let numbers: Vec<u64> = parts(&world).await.iter().map(|part| part.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        assert_eq!(counts(&world).await.unwrap().parts, 5);
    });
}

#[test]
fn the_same_bytes_in_two_uploads_at_once_become_one_part() {
    block_on(async {
        let (world, _) = world().await;
        let ingest = pausing(&world);
        let one = land(&world, "taxi/1.csv", GOOD);
        let two = land(&world, "taxi/2.csv", GOOD);
        let cx = at(&world, 0);
        let (first, second) = futures::join!(ingest.handle(&cx, &one), ingest.handle(&cx, &two));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        assert_eq!(parts(&world).await.len(), 1);
        let fates: Vec<Fate> = uploads(&world).await.into_iter().map(|upload| upload.fate).collect();
        assert!(fates.contains(&Fate::Accepted { part: 1 }), "{fates:?}");
        assert!(fates.contains(&Fate::Duplicate { part: 1 }), "{fates:?}");
    });
}

/// Handles an input, with something else happening after so many steps of it.
pub(super) async fn interrupted(
    ingest: &Ingest,
    (cx, input): (&Cx, &Input),
    steps: usize,
    meanwhile: impl Future<Output = ()>,
) -> std::result::Result<(), Fault> {
    let mut handling = ingest.handle(cx, input);
    for _ in 0..steps {
        if let Poll::Ready(done) = futures::poll!(&mut handling) {
            meanwhile.await;
            return done;
        }
    }
    meanwhile.await;
    handling.await
}

/// More steps than a handling of one of these uploads takes.
pub(super) const STEPS: usize = 24;

#[test]
fn a_contract_changed_between_two_deliveries_leaves_the_files_that_were_recorded() {
    let changed = CONTRACT.replace("version: 1.0.0", "version: 2.0.0");
    let check = async |early_steps: usize, late_steps: usize| {
        let (world, _) = world().await;
        let ingest = pausing(&world);
        let event = land(&world, "taxi/a.csv", TOLERATED);
        let (early, late) = (at(&world, 0), at(&world, 1));
        let change = apply(&world, &changed);
        let first = interrupted(&ingest, (&early, &event), early_steps, change);
        let second = interrupted(&ingest, (&late, &event), late_steps, async {});
        let (first, second) = futures::join!(first, second);
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        let (uploads, parts) = (uploads(&world).await, parts(&world).await);
        assert_eq!((uploads.len(), parts.len()), (1, 1), "{early_steps} and {late_steps} steps");
        let Upload { report, report_json, quarantine, .. } = uploads[0].clone();
        let files = [Some(parts[0].data.clone()), Some(parts[0].profile.clone()), report, report_json];
        for file in files.into_iter().chain([quarantine]) {
            bytes(&world, &file.unwrap());
        }
    };
    for early_steps in 0..STEPS {
        for late_steps in 0..STEPS {
            block_on(check(early_steps, late_steps));
        }
    }
}

#[test]
fn an_object_replaced_while_it_is_read_never_becomes_a_part_of_both() {
    let rows: String = (0..30_000).map(|n| format!("trip-{n},1,a rider {n},2026-01-01\n")).collect();
    let before = format!("id,fare,rider,day\n{rows}");
    let after = format!("{before}more,1,,2026-01-01\n").replace("a rider", "b rider");
    assert!(before.len() > limit::CHUNK_BYTES, "it is read in several ranges");
    let mut retried = 0;
    for steps in 0..STEPS {
        block_on(async {
            let (world, ingest) = world().await;
            let event = unversioned(land(&world, "taxi/a.csv", before.clone()));
            let cx = at(&world, 0);
            let replace = async { drop(land(&world, "taxi/a.csv", after.clone())) };
            match interrupted(&pausing(&world), (&cx, &event), steps, replace).await {
                Ok(()) => {}
                Err(Fault::Retry(error)) => {
                    assert!(error.to_string().contains("it was replaced meanwhile"), "{error}");
                    assert!(uploads(&world).await.is_empty() && written(&world).is_empty());
                    retried += 1;
                }
                Err(fault) => panic!("{fault}"),
            }
            world.twice(&ingest, &event).await.unwrap();
            let content = uploads(&world).await[0].content;
            let whole = [&before, &after].map(|text| Digest::of(text.as_bytes()));
            assert!(whole.contains(&content), "after {steps} steps");
            assert_eq!(parts(&world).await.len(), 1);
        });
    }
    assert!(retried > 0, "some replacement came between two ranges");
}
