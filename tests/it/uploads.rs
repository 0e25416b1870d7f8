//! Whether uploads of one path at the same moment leave one of them, whole, and say so.

use serde_json::Value;

use crate::http::{Asked, Caller};
use crate::kill::promises::{items, settle};
use crate::server::Server;
use crate::small::{self, PIPELINE};

/// People who upload at once.
const PEOPLE: usize = 4;

/// Puts texts to one path at once; the statuses in the texts' order.
fn at_once(server: &Server, path: &str, texts: &[String]) -> Vec<u16> {
    let begin = std::sync::Barrier::new(texts.len());
    std::thread::scope(|scope| {
        let put = |text: &String| {
            let asked = Asked::put("dora", path, text.as_bytes());
            let (begin, address) = (&begin, server.address());
            scope.spawn(move || {
                begin.wait();
                Caller::new().send(&address, &asked).unwrap().0
            })
        };
        let all: Vec<_> = texts.iter().map(put).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn of_two_uploads_to_one_path_at_once_one_stays_and_the_others_are_told() {
    let server = Server::fresh("2026-03-01T09:00:00Z");
    small::apply(&server, &small::declaration(&[]));
    let month = |seed: u64| home_insurance::csv(&home_insurance::month(seed, 1, small::ROWS));
    for round in 0..10 {
        let path = format!("/incoming/{PIPELINE}/round-{round}/quotes.csv");
        let others: Vec<String> = (0..PEOPLE as u64).map(|person| month(round * 100 + person)).collect();
        let statuses = at_once(&server, &path, &others);
        let winners: Vec<usize> = (0..PEOPLE).filter(|person| statuses[*person] == 201).collect();
        let [winner] = winners[..] else { panic!("one is acknowledged: {statuses:?}") };
        assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
        let file = server.data().join(path.trim_start_matches('/'));
        assert_eq!(
            std::fs::read_to_string(file).unwrap(),
            others[winner],
            "whole, and whose it was said to be"
        );

        // The same bytes again are the same upload, however often and at once.
        let path = format!("/incoming/{PIPELINE}/again-{round}/quotes.csv");
        let same = vec![month(round * 100 + 50); PEOPLE];
        assert_eq!(at_once(&server, &path, &same), [201; PEOPLE]);
        assert_eq!(at_once(&server, &path, &same[..1]), [201]);
    }
    settle(&server);
    let uploads = items(&server, "uploads");
    assert_eq!(uploads.len(), 20, "one fate a path");
    let accepted = |upload: &&Value| upload["fate"]["state"] == "accepted";
    assert_eq!(uploads.iter().filter(accepted).count(), 20);
}
