//! Whether what was uploaded to one machine, which keeps no versions, stays what it was.

use home_insurance as homes;

use crate::http::{Asked, Caller};
use crate::server::Server;
use crate::small::{self, PIPELINE, ROWS};

#[test]
fn a_path_is_written_once_and_its_bytes_become_one_upload() {
    let server = Server::fresh("2026-03-01T09:00:00Z");
    small::apply(&server, &small::declaration(&[]));
    let path = format!("/incoming/{PIPELINE}/january.csv");
    let text = homes::csv(&homes::month(1, 1, ROWS));
    let put = |text: &str| {
        let asked = Asked::put("dora", &path, text.as_bytes());
        let (status, body) = Caller::new().send(&server.address(), &asked).unwrap();
        (status, String::from_utf8(body).unwrap())
    };
    for _ in 0..2 {
        assert_eq!(put(&text).0, 201, "a repeat is harmless");
        let (status, why) = put(&format!("{text}\n"));
        assert_eq!(status, 409, "{why}");
        assert!(why.contains("other bytes stand there, and what was uploaded never changes"), "{why}");
    }
    let uploads = || server.get(&format!("/api/pipelines/{PIPELINE}/uploads"))["items"].clone();
    let fate = server.until("a fate", || uploads()[0]["fate"]["state"].as_str().map(str::to_owned));
    assert_eq!(fate, "accepted");
    server.until("an empty queue", || {
        let about = server.get("/api/runtime");
        (about["waiting"] == 0 && about["working"] == 0).then_some(())
    });
    assert_eq!(uploads().as_array().unwrap().len(), 1, "told twice, taken in once");
    let landed = std::fs::read_to_string(server.data().join(path.trim_start_matches('/'))).unwrap();
    assert!(landed == text, "the bytes are the first ones");
}
