//! What is left when a server is killed again and again, at any moment, while people use it:
//! everything that was acknowledged, once.

mod door;
mod people;
pub(crate) mod promises;

use std::thread;

use crate::chance::Chance;
use crate::remnants::remnants;
use crate::server::Server;
use door::Door;
use people::Person;
use promises::{Answer, Ledger};

const SEED: u64 = 20_261_124;

/// How often the server is killed.
const KILLS: u64 = 50;

/// Moments between the moment at which a server listens and its end: often hardly any, sometimes
/// long enough for a run to come to its end.
fn moments(chance: &mut Chance) -> u64 {
    let most = *chance.of_these(&[1, 4, 12, 30, 60, 110]);
    chance.below(most + 1)
}

#[test]
fn nothing_acknowledged_is_lost_or_done_twice_however_often_the_server_is_killed() {
    let mut chance = Chance::of(SEED);
    let mut server = Server::fresh("2026-03-01T09:00:00Z");
    let door = Door::default();
    let answers = thread::scope(|scope| {
        let people = [("dora", 1), ("alice", 2), ("bianca", 3), ("erik", 4)].map(|(name, seed)| {
            let person = Person::new(name, Chance::of(SEED ^ (seed << 32)), &door);
            scope.spawn(move || person.live())
        });
        // However this ends, people must not wait for ever.
        let closing = door.closing();
        for _ in 0..KILLS {
            door.open(server.address());
            for _ in 0..moments(&mut chance) {
                server.moment();
            }
            door.shut();
            server.kill();
            server.start();
        }
        drop(closing);
        people.into_iter().flat_map(|person| person.join().unwrap()).collect::<Vec<Answer>>()
    });

    promises::settle(&server);
    let ledger = Ledger::read(&server);
    ledger.holds_what_was_promised(&answers);
    ledger.is_without_gaps();
    promises::uploads_have_their_fates(&server, &answers);
    promises::the_endpoint_answers_with_the_champion(&server);
    promises::jobs_belong_to_runs(&server, &ledger);
    promises::everyone_was_told(&server, &ledger);
    // Without all of these the people were not really there.
    for kind in ["PartAccepted", "PartRejected", "UploadRepeated", "ModelRegistered", "ModelDeployed"] {
        assert!(ledger.count(kind) > 0, "no {kind} in {} events", ledger.events.len());
    }

    let data = server.data().to_owned();
    server.kill();
    assert_eq!(remnants(&data), [""; 0], "programs outlive a server at rest");
    drop(server);
}
