//! Who sent what under which name: tickets, plain copies, odd keys, and keys of nobody.

use ports::Blobs as _;

use super::*;

#[test]
fn a_plain_copy_is_the_requesters_and_says_its_time_in_the_key() {
    block_on(async {
        let (world, ingest) = world().await;
        let key = "taxi/as_of=2025-12-31/january.csv";
        world.twice(&ingest, land(&world, key, GOOD)).await.unwrap();
        let upload = uploads(&world).await.pop().unwrap();
        assert_eq!((upload.fate, upload.by), (Fate::Accepted { part: 1 }, Actor::storage("111122223333")));
        assert_eq!(upload.as_of, "2025-12-31".parse().unwrap());
        assert_eq!((upload.path.as_str(), upload.file.as_str()), (key, "january.csv"));
        let event = world.events(&name()).await.pop().unwrap();
        assert_eq!(event.as_of, "2025-12-31".parse().ok());
        assert_eq!(event.actor, Actor::storage("111122223333"));
    });
}

#[test]
fn without_a_time_the_rows_are_of_when_the_object_landed() {
    block_on(async {
        let (world, ingest) = world().await;
        let landed = world.clock.now();
        let input = land(&world, "taxi/a.csv", GOOD);
        world.clock.advance(3 * Time::HOUR);
        world.twice(&ingest, input).await.unwrap();
        let upload = uploads(&world).await.pop().unwrap();
        assert_eq!((upload.as_of, upload.at), (landed, landed.plus(3 * Time::HOUR)));
    });
}

#[test]
fn rules_about_age_look_from_when_the_upload_was_announced() {
    // The newest row is of 2025-12-31; 40 days are allowed. Announced on 2026-01-05, handled in March.
    block_on(async {
        let (world, ingest) = world().await;
        let key = announce(&world, "u1", "a.csv", None).await;
        world.clock.advance(60 * Time::DAY);
        let input = land(&world, &key, GOOD);
        world.twice(&ingest, input).await.unwrap();
        assert_eq!(upload(&world, "u1").await.fate, Fate::Accepted { part: 1 });
        world.twice(&ingest, land(&world, "taxi/late.csv", GOOD.replace("1.5", "1.6"))).await.unwrap();
        let late = uploads(&world).await.into_iter().find(|upload| upload.file == "late.csv").unwrap();
        assert!(rejected(&late).starts_with("day: latency: the newest row is of 2025-12-31"), "{late:?}");
    });
}

#[test]
fn files_of_one_folder_are_uploads_of_their_own() {
    block_on(async {
        let (world, ingest) = world().await;
        for number in 0..3 {
            let csv = GOOD.replace("1.5", &number.to_string());
            world.twice(&ingest, land(&world, &format!("taxi/history/{number}.csv"), csv)).await.unwrap();
        }
        let mut ids: Vec<String> = uploads(&world).await.into_iter().map(|upload| upload.id).collect();
        ids.dedup();
        assert_eq!((ids.len(), parts(&world).await.len()), (3, 3));
    });
}

#[test]
fn other_bytes_under_the_same_key_are_another_upload() {
    block_on(async {
        let (world, ingest) = world().await;
        world.twice(&ingest, land(&world, "taxi/a.csv", GOOD)).await.unwrap();
        world.twice(&ingest, land(&world, "taxi/a.csv", TOLERATED)).await.unwrap();
        assert_eq!((uploads(&world).await.len(), parts(&world).await.len()), (2, 2));

        let key = announce(&world, "u1", "b.csv", None).await;
        world.twice(&ingest, land(&world, &key, GOOD.replace("1.5", "7"))).await.unwrap();
        world.twice(&ingest, land(&world, &key, GOOD.replace("1.5", "8"))).await.unwrap();
        assert_eq!((uploads(&world).await.len(), parts(&world).await.len()), (4, 4));
    });
}

#[test]
fn a_ticket_speaks_for_its_own_file_alone() {
    block_on(async {
        let (world, ingest) = world().await;
        let key = announce(&world, "u1", "mine.csv", None).await;
        world.twice(&ingest, land(&world, "taxi/u1/other.csv", GOOD)).await.unwrap();
        assert_eq!(tickets(&world).await, 1, "the ticket still waits for its file");
        world.twice(&ingest, land(&world, &key, TOLERATED)).await.unwrap();
        let by: Vec<(String, Actor)> =
            uploads(&world).await.into_iter().map(|upload| (upload.file, upload.by)).collect();
        assert!(by.contains(&("other.csv".into(), Actor::storage("111122223333"))), "{by:?}");
        assert!(by.contains(&("mine.csv".into(), Actor::person("ann"))), "{by:?}");
    });
}

#[test]
fn odd_names_are_names() {
    block_on(async {
        let (world, ingest) = world().await;
        let odd = ["a b.csv", "a+b.csv", "100%25.csv", "é ü.csv", "=cmd|' c'!A1.csv", "<b>.csv", "&?#.csv"];
        for (number, file) in odd.iter().enumerate() {
            let csv = GOOD.replace("1.5", &number.to_string());
            let key = match number % 2 {
                0 => announce(&world, &format!("u{number}"), file, None).await,
                _ => format!("taxi/some folder+%2F/{file}"),
            };
            world.twice(&ingest, land(&world, &key, csv)).await.unwrap();
        }
        let mut found: Vec<String> = uploads(&world).await.into_iter().map(|upload| upload.file).collect();
        found.sort();
        let mut expected = odd.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(found, expected);
        assert_eq!(parts(&world).await.len(), odd.len());
        let pages: Vec<Upload> = uploads(&world).await;
        let hostile = pages.iter().find(|upload| upload.file == "<b>.csv").unwrap();
        let page = bytes(&world, hostile.report.as_ref().unwrap());
        assert!(!String::from_utf8_lossy(&page).contains("<b>.csv"), "names are escaped in pages");
    });
}

#[test]
fn a_time_in_the_key_that_is_none_rejects_the_upload_with_the_reason() {
    block_on(async {
        let (world, ingest) = world().await;
        world.twice(&ingest, land(&world, "taxi/as_of=soon/a.csv", GOOD)).await.unwrap();
        let upload = uploads(&world).await.pop().unwrap();
        assert!(rejected(&upload).starts_with("as_of= in the key: expected a date (2026-11-23)"));
        assert_eq!((upload.content, upload.report.clone()), (Digest::of(GOOD.as_bytes()), None));
        assert_eq!(world.kinds(&name()).await.last(), Some(&"PartRejected"));
        assert!(parts(&world).await.is_empty() && written(&world).is_empty());
    });
}

#[test]
fn keys_of_no_pipeline_are_put_aside_with_a_sentence() {
    block_on(async {
        let (world, ingest) = world().await;
        for (key, complaint) in [
            ("train/a.csv", "take in train/a.csv: there is no pipeline \"train\"; apply it and redrive"),
            ("Taxi/u/a.csv", "take in Taxi/u/a.csv: there is no pipeline \"Taxi\""),
            ("a.csv", "take in a.csv: it lies in no folder"),
        ] {
            match world.twice(&ingest, land(&world, key, GOOD)).await {
                Err(Fault::Reject(reason)) => assert!(reason.starts_with(complaint), "{reason}"),
                other => panic!("{key}: {other:?}"),
            }
        }
        assert!(uploads(&world).await.is_empty());
    });
}

#[test]
fn an_upload_put_aside_is_taken_in_once_the_pipeline_is_there() {
    block_on(async {
        let world = World::new();
        let ingest = ingest(&world);
        let input = land(&world, "taxi/a.csv", GOOD);
        assert!(matches!(world.twice(&ingest, &input).await, Err(Fault::Reject(_))));
        apply(&world, CONTRACT).await;
        world.twice(&ingest, &input).await.unwrap();
        assert_eq!(parts(&world).await.len(), 1);
    });
}

#[test]
fn an_object_that_is_gone_is_named_unless_its_fate_is_recorded() {
    block_on(async {
        let (world, ingest) = world().await;
        for key in ["taxi/as_of=soon/a.csv", "taxi/a.csv"] {
            let input = unversioned(land(&world, key, GOOD));
            world.incoming.delete(&BlobPath::parse(key).unwrap()).await.unwrap();
            match world.twice(&ingest, &input).await {
                Err(Fault::Reject(reason)) => {
                    assert_eq!(reason, format!("take in {key}: the object is gone; upload it again"));
                }
                other => panic!("{other:?}"),
            }
        }
        let key = announce(&world, "u1", "a.csv", None).await;
        for key in [key.as_str(), "taxi/b.csv"] {
            let input = unversioned(land(&world, key, GOOD));
            world.twice(&ingest, &input).await.unwrap();
            world.incoming.delete(&BlobPath::parse(key).unwrap()).await.unwrap();
            world.twice(&ingest, &input).await.unwrap();
        }
        assert_eq!(uploads(&world).await.len(), 2);
    });
}

#[test]
fn a_folder_made_in_the_bucket_is_no_upload() {
    block_on(async {
        let (world, ingest) = world().await;
        let folder = ObjectCreated {
            bucket: "incoming".into(),
            key: "taxi/2026/".into(),
            size: Some(0),
            identity: "v1".into(),
            version: Some("v1".into()),
            requester: "111122223333".into(),
            at: world.clock.now(),
        };
        world.twice(&ingest, Input::ObjectCreated(folder)).await.unwrap();
        assert!(uploads(&world).await.is_empty());
    });
}
