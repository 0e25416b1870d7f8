//! What people do all day: apply, upload, ask for models, decide on them, use them, tell the
//! truth; and what they do when no answer comes.

use home_insurance as homes;
use serde_json::{Value, json};

use super::door::Door;
use super::promises::{Answer, Ended, Mark};
use crate::chance::Chance;
use crate::http::{Address, Asked, Caller};
use crate::small::{self, PIPELINE, ROWS};

/// Most that one person does while one server lives.
const ACTS_MAX: u64 = 4;

/// Runs that are asked for; each takes a second.
const RUNS_MAX: u64 = 14;

/// Someone with a habit, by name: dora uploads, alice declares and asks for models, bianca
/// decides, erik uses what serves.
pub(super) struct Person<'a> {
    name: &'static str,
    chance: Chance,
    door: &'a Door,
    caller: Caller,
    life: u64,
    address: Option<Address>,
    acts_left: u64,
    count: u64,
    answers: Vec<Answer>,
    files: Vec<(&'static str, String)>,
    asked: Vec<String>,
    runs: u64,
    hours: i64,
}

impl<'a> Person<'a> {
    pub(super) fn new(name: &'static str, chance: Chance, door: &'a Door) -> Person<'a> {
        Person {
            name,
            chance,
            door,
            caller: Caller::new(),
            life: 0,
            address: None,
            acts_left: 0,
            count: 0,
            answers: Vec::new(),
            files: Vec::new(),
            asked: Vec::new(),
            runs: 0,
            hours: 0,
        }
    }

    /// Acts while there are servers; answers what was asked and how each ended.
    pub(super) fn live(mut self) -> Vec<Answer> {
        while self.at_a_server() {
            match self.name {
                "dora" => self.upload(),
                "alice" if self.count == 0 || self.chance.below(4) == 0 => self.apply(),
                "alice" => self.train(),
                "bianca" => self.decide(),
                _ => self.consume(),
            }
        }
        self.answers
    }

    /// Whether there is a server for another act; waits for the next one when this one's share
    /// of acts is done.
    fn at_a_server(&mut self) -> bool {
        if self.acts_left > 0 && self.address.is_some() {
            self.acts_left -= 1;
            return true;
        }
        self.acts_left = self.chance.below(ACTS_MAX);
        self.next_server()
    }

    fn next_server(&mut self) -> bool {
        let entered = self.door.enter(self.life);
        let (life, address) = match entered {
            Some((life, address)) => (life, Some(address)),
            None => (self.life, None),
        };
        (self.life, self.address) = (life, address);
        self.address.is_some()
    }

    /// An id for the next request.
    fn id(&mut self) -> String {
        self.count += 1;
        format!("{} {}", self.name, self.count)
    }

    /// Asks until there is an answer, or patience ends; a person whose server died asks the next
    /// one the same under the same id, or leaves it.
    fn insist(&mut self, asked: &Asked) -> Ended {
        loop {
            let Some(address) = self.address.clone() else { return Ended::Unknown };
            match self.caller.send(&address, asked) {
                Ok((status, body)) if status < 400 => {
                    return Ended::Acknowledged(serde_json::from_slice(&body).unwrap_or(Value::Null));
                }
                Ok((status, _)) if status >= 500 => return Ended::Unknown,
                Ok((status, body)) => {
                    let text = String::from_utf8_lossy(&body).into_owned();
                    return Ended::Refused(format!("{status}: {text}"));
                }
                Err(_) if self.chance.below(4) == 0 => {
                    self.address = None;
                    return Ended::Unknown;
                }
                Err(_) => {
                    self.next_server();
                }
            }
        }
    }

    /// Posts something and remembers how it ended.
    fn post(&mut self, rest: &str, body: &Value, mark: impl Fn(&str) -> Mark) -> Ended {
        let id = self.id();
        let asked = Asked::post(self.name, &id, &format!("/api/pipelines{rest}"), body);
        let ended = self.insist(&asked);
        self.answers.push(Answer { asked: format!("{id}: {rest}"), mark: mark(&id), ended: ended.clone() });
        ended
    }

    /// Posts something with a reason that no other request has.
    fn post_with_reason(&mut self, rest: &str) {
        let reason = format!("{} says {}", self.name, self.count + 1);
        let body = json!({ "reason": reason });
        self.post(&format!("/{PIPELINE}{rest}"), &body, |_| Mark::Reason(reason.clone()));
    }

    fn look(&self, rest: &str) -> Option<Value> {
        let address = self.address.as_ref()?;
        self.caller.get(address, &format!("/api/pipelines/{PIPELINE}/{rest}")).ok()
    }

    /// Declares the pipeline: at first as it stands in the example, made small; later with
    /// another description, or unchanged.
    fn apply(&mut self) {
        let described = format!("description: Claims of a home, told {}", self.chance.below(3));
        let pipeline = small::declaration(&[
            ("description: Annual cost of claims of a home", &described),
            ("on: [drift], minimum_new_rows: 1000", "on: [drift, data], minimum_new_rows: 900"),
        ]);
        let application = json!({
            "pipeline_file": "pipeline.yaml", "pipeline": pipeline,
            "contract_file": "contract.yaml", "contract": small::example("contract.yaml"),
        });
        let id = self.id();
        let ended = self.insist(&Asked::post(self.name, &id, "/api/pipelines", &application));
        let mark = match &ended {
            Ended::Acknowledged(answer) if answer["changed"] == true => {
                Mark::Revision(answer["revision"].as_u64().unwrap())
            }
            _ => Mark::None,
        };
        self.answers.push(Answer { asked: id, mark, ended });
    }

    /// Sends a file: a good one, one with some bad rows, a broken one, or one that was sent before.
    fn upload(&mut self) {
        let (kind, text) = match self.chance.below(5) {
            0 if !self.files.is_empty() => ("again", self.chance.of_these(&self.files).1.clone()),
            choice => {
                let quotes = homes::month(self.chance.below(1 << 40), 1 + self.chance.below(5) as u32, ROWS);
                match choice {
                    1 => ("broken", homes::csv_broken(&quotes)),
                    2 => ("some bad", homes::csv_with_bad_rows(&quotes)),
                    _ => ("good", homes::csv(&quotes)),
                }
            }
        };
        let kind =
            if kind == "again" { self.files.iter().find(|file| file.1 == text).unwrap().0 } else { kind };
        self.files.push((kind, text.clone()));
        let id = self.id();
        let body = json!({ "file": format!("{}.csv", id.replace(' ', "-")), "as_of": "2026-02-01" });
        let ticket = Asked::post(self.name, &id, &format!("/api/pipelines/{PIPELINE}/uploads"), &body);
        let Ended::Acknowledged(ticket) = self.insist(&ticket) else { return };
        let (upload, path) = (ticket["upload"].as_str().unwrap(), ticket["path"].as_str().unwrap());
        let ended = self.insist(&Asked::put(self.name, &format!("/incoming/{path}"), text.as_bytes()));
        let mark = Mark::Upload { id: upload.to_owned(), path: path.to_owned(), kind, text };
        self.answers.push(Answer { asked: id, mark, ended });
    }

    fn train(&mut self) {
        if self.runs < RUNS_MAX && self.chance.below(3) > 0 {
            self.runs += 1;
            self.post_with_reason("/runs");
        } else {
            let id = self.id();
            let path = format!("/api/pipelines/{PIPELINE}/drift");
            let ended = self.insist(&Asked::post(self.name, &id, &path, &json!({})));
            self.answers.push(Answer { asked: id.clone(), mark: Mark::Check(id), ended });
        }
    }

    /// Approves what waits, sometimes turns it down; now and then goes back to an earlier version.
    fn decide(&mut self) {
        let Some(models) = self.look("models") else { return };
        let models = models["items"].as_array().cloned().unwrap_or_default();
        let pending: Vec<u64> = models
            .iter()
            .filter(|model| model["approval"]["state"] == "pending")
            .filter_map(|model| model["version"].as_u64())
            .collect();
        match self.chance.below(5) {
            _ if pending.is_empty() => self.post_with_reason("/rollback"),
            0 => self.post_with_reason("/rollback"),
            1 if pending[0] > 1 => self.post_with_reason(&format!("/models/{}/reject", pending[0])),
            _ => {
                let version = *self.chance.of_these(&pending);
                self.post_with_reason(&format!("/models/{version}/approve"));
            }
        }
    }

    /// Asks the endpoint, sends the truth of what it answered, or lets half a day pass.
    fn consume(&mut self) {
        match self.chance.below(6) {
            0 => self.wait_half_a_day(),
            1 if !self.asked.is_empty() => self.tell_the_truth(),
            _ => {
                let quotes = homes::month(self.chance.below(1 << 40), 3, 20);
                let rows: String = quotes.iter().map(|quote| format!("{}\n", quote.request())).collect();
                let id = self.id().replace(' ', "-");
                let ended = self.insist(&Asked::invocation(PIPELINE, &id, &rows));
                if let Ended::Acknowledged(_) = &ended {
                    self.asked.push(id.clone());
                }
                self.answers.push(Answer { asked: id, mark: Mark::None, ended });
            }
        }
    }

    fn wait_half_a_day(&mut self) {
        self.hours += 12;
        let begin: domain::Time = "2026-03-01T09:00:00Z".parse().unwrap();
        let now = begin.plus(self.hours * domain::Time::HOUR);
        let id = self.id();
        let ended = self.insist(&Asked::post(self.name, &id, "/api/clock", &json!({ "now": now })));
        self.answers.push(Answer { asked: id, mark: Mark::None, ended });
    }

    fn tell_the_truth(&mut self) {
        let id = self.id();
        let asked = self.asked.pop().unwrap();
        let labels: String = (0..20).map(|row| format!("{asked}/{row},{}\n", 100 + row)).collect();
        let labels = format!("inference_id,label\n{labels}");
        let path = format!("/api/pipelines/{PIPELINE}/labels");
        let mut request = Asked::post(self.name, &id, &path, &Value::Null);
        request.body = labels.into_bytes();
        let ended = self.insist(&request);
        let mark = match &ended {
            Ended::Acknowledged(answer) => Mark::Labels(answer["labels"].as_str().unwrap().to_owned()),
            _ => Mark::None,
        };
        self.answers.push(Answer { asked: id, mark, ended });
    }
}
