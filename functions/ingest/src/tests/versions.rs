//! Keys that were written over or deleted: what is judged is what the news is of.

use ports::Blobs as _;

use super::together::{STEPS, at, interrupted, pausing};
use super::*;

/// The content of every upload, by what became of it.
async fn contents(world: &World) -> Vec<Digest> {
    let mut contents: Vec<Digest> = uploads(world).await.into_iter().map(|upload| upload.content).collect();
    contents.sort();
    contents
}

fn digests<const N: usize>(texts: [&str; N]) -> Vec<Digest> {
    let mut digests = texts.map(|text| Digest::of(text.as_bytes())).to_vec();
    digests.sort();
    digests
}

#[test]
fn what_was_written_over_before_it_was_read_is_judged_as_it_was() {
    for order in [[0, 1], [1, 0]] {
        block_on(async {
            let (world, ingest) = world().await;
            let announced = announce(&world, "u1", "january.csv", None).await;
            for key in [announced.as_str(), "taxi/plain.csv"] {
                let news = [land(&world, key, GOOD), land(&world, key, TOLERATED)];
                for place in order {
                    world.twice(&ingest, &news[place]).await.unwrap();
                }
                // Late, once both are decided.
                world.twice(&ingest, &news[0]).await.unwrap();
            }
            assert_eq!(contents(&world).await, digests([GOOD, GOOD, TOLERATED, TOLERATED]), "{order:?}");
            assert_eq!(parts(&world).await.len(), 2, "the same bytes are one part");
            for upload in uploads(&world).await {
                // The version that was judged can still be read.
                let (_, content) =
                    world.incoming.digest_of(&upload.path, upload.version.as_deref()).await.unwrap();
                assert_eq!(content, upload.content, "{}", upload.path);
            }
            assert_eq!(tickets(&world).await, 0);
        });
    }
}

#[test]
fn what_was_written_over_with_a_broken_file_is_accepted_and_the_broken_file_refused() {
    block_on(async {
        let (world, ingest) = world().await;
        let news = [land(&world, "taxi/a.csv", GOOD), land(&world, "taxi/a.csv", "id,fare\na,b\n")];
        world.twice(&ingest, &news[0]).await.unwrap();
        world.twice(&ingest, &news[1]).await.unwrap();
        let mut kinds = world.kinds(&name()).await;
        kinds.sort_unstable();
        assert_eq!(kinds, ["PartAccepted", "PartRejected", "PipelineApplied"]);
        assert_eq!(parts(&world).await[0].rows, 2);
    });
}

#[test]
fn what_was_deleted_after_its_news_is_judged_as_it_was() {
    block_on(async {
        let (world, ingest) = world().await;
        for key in ["taxi/as_of=soon/a.csv", "taxi/a.csv"] {
            let news = land(&world, key, GOOD);
            world.incoming.delete(&BlobPath::parse(key).unwrap()).await.unwrap();
            world.twice(&ingest, &news).await.unwrap();
        }
        assert_eq!((uploads(&world).await.len(), parts(&world).await.len()), (2, 1));
    });
}

#[test]
fn a_version_that_is_not_kept_any_more_is_named() {
    block_on(async {
        let (world, ingest) = world().await;
        let Input::ObjectCreated(news) = land(&world, "taxi/a.csv", GOOD) else { unreachable!("an object") };
        let expired = Input::ObjectCreated(ObjectCreated { version: Some("v0".into()), ..news });
        match world.twice(&ingest, &expired).await {
            Err(Fault::Reject(reason)) => {
                assert_eq!(reason, "take in taxi/a.csv: its version v0 is gone; upload it again");
            }
            other => panic!("{other:?}"),
        }
        assert!(uploads(&world).await.is_empty());
    });
}

#[test]
fn a_tick_takes_in_the_version_it_finds_and_the_news_of_another_is_another_upload() {
    block_on(async {
        let (world, ingest) = world().await;
        let key = announce(&world, "0a", "a.csv", None).await;
        let first = land(&world, &key, GOOD);
        let second = land(&world, &key, TOLERATED);
        world.twice(&ingest, world.tick()).await.unwrap();
        assert_eq!(upload(&world, "0a").await.content, Digest::of(TOLERATED.as_bytes()));
        world.twice(&ingest, &second).await.unwrap();
        assert_eq!(uploads(&world).await.len(), 1, "the tick has taken it in");
        world.twice(&ingest, &first).await.unwrap();
        assert_eq!(contents(&world).await, digests([GOOD, TOLERATED]));
    });
}

#[test]
fn two_versions_of_an_announced_key_at_once_both_get_a_fate_and_keep_their_files() {
    for steps in 0..STEPS {
        block_on(async {
            let (world, ingest) = world().await;
            let key = announce(&world, "u1", "a.csv", None).await;
            let news = [land(&world, &key, GOOD), land(&world, &key, TOLERATED)];
            let cx = at(&world, 0);
            let meanwhile = async { ingest.handle(&cx, &news[1]).await.unwrap() };
            interrupted(&pausing(&world), (&cx, &news[0]), steps, meanwhile).await.unwrap();
            for input in &news {
                world.twice(&ingest, input).await.unwrap();
            }
            assert_eq!(contents(&world).await, digests([GOOD, TOLERATED]), "after {steps} steps");
            let parts = parts(&world).await;
            assert_eq!((parts.len(), tickets(&world).await), (2, 0));
            for part in &parts {
                bytes(&world, &part.data);
                bytes(&world, &part.profile);
            }
            for Upload { report, report_json, quarantine, .. } in uploads(&world).await {
                for file in [report, report_json, quarantine].into_iter().flatten() {
                    bytes(&world, &file);
                }
            }
        });
    }
}
