//! Does Boost keep SageMaker's contract, learn what is there to be learned, and predict the same
//! everywhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails where it stands")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use boost::artifact::Artifact;
use boost::trainer::standard;
use boost::{Failure, Place, train};
use engine::csv;
use engine::features::{Features, Target};
use engine::table::{Batch, Column, Field, Kind, Schema};

/// A plain generator of numbers in [0, 1): Knuth's MMIX constants, upper bits.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const CITIES: [&str; 5] = ["Bern", "Chur", "\"Zug\", old town", "Genève", "Basel"];

fn inputs() -> Schema {
    Schema::of([
        ("area", Kind::Number),
        ("age", Kind::Number),
        ("rooms", Kind::Integer),
        ("city", Kind::Text),
        ("garden", Kind::Boolean),
        ("seen", Kind::Timestamp),
    ])
}

/// Rows of the serving columns, some values missing, and the noiseless truth of each:
/// 4·area + sin(6·age) + city + [garden].
fn houses(rows: usize, seed: u64) -> (Batch, Vec<f64>) {
    let mut chance = Chance(seed);
    for _ in 0..9 {
        chance.next();
    }
    let (mut area, mut age, mut rooms) = (Vec::new(), Vec::new(), Vec::new());
    let (mut city, mut garden, mut seen, mut truth) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let (a, b, green) = (chance.next(), chance.next(), chance.next() < 0.4);
        let place = (chance.next() * 5.0) as usize;
        truth.push(
            4.0 * a + (6.0 * b).sin() + [0.0, 2.0, -2.0, 1.0, -1.0][place] + f64::from(u8::from(green)),
        );
        area.push(Some(a));
        age.push((chance.next() > 0.05).then_some(b));
        rooms.push((chance.next() > 0.05).then_some((chance.next() * 8.0) as i64));
        city.push((chance.next() > 0.02).then(|| CITIES[place].to_owned()));
        garden.push(Some(green));
        seen.push(Some(1_700_000_000_000 + (chance.next() * 3e10) as i64));
    }
    let columns = vec![
        Column::Number(area),
        Column::Number(age),
        Column::Integer(rooms),
        Column::Text(city),
        Column::Boolean(garden),
        Column::Timestamp(seen),
    ];
    (Batch::new(Arc::new(inputs()), columns), truth)
}

fn features(target: Kind) -> Features {
    let declared =
        [("month", "month(seen)"), ("log_area", "log(area)"), ("wave", "if(is_missing(age), 0, age * 6)")];
    let declared: BTreeMap<String, String> = declared.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    let dataset = Schema { fields: vec![Field { name: "y".to_owned(), kind: target }] };
    let target = Target::compile("y", None, &dataset).unwrap();
    Features::compile(&inputs(), &declared, &["rooms".to_owned()], &target).unwrap()
}

/// The truth as the target of a problem.
fn target(problem: &str, truth: &[f64], seed: u64) -> Column {
    let mut noise = Chance(seed ^ 0x5eed);
    let mut noisy = || (0..4).map(|_| noise.next() - 0.5).sum::<f64>() * 0.2;
    match problem {
        "regression" => Column::Number(truth.iter().map(|t| Some(t + noisy())).collect()),
        "binary" => Column::Boolean(truth.iter().map(|t| Some(t + noisy() > 2.5)).collect()),
        _ => Column::Text(truth.iter().map(|t| Some(class_of(t + noisy()).to_owned())).collect()),
    }
}

fn class_of(value: f64) -> &'static str {
    match value {
        v if v < 1.5 => "low",
        v if v < 3.5 => "middle",
        _ => "top",
    }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A channel's file: an id nobody asked for, the target, then the serving columns.
fn channel(place: &Place, name: &str, rows: &Batch, target: &Column) {
    let mut fields = vec![
        Field { name: "id".to_owned(), kind: Kind::Integer },
        Field { name: "y".to_owned(), kind: target.kind() },
    ];
    fields.extend(rows.schema().fields.clone());
    let mut columns = vec![Column::Integer((0..rows.rows() as i64).map(Some).collect()), target.clone()];
    columns.extend(rows.columns().to_vec());
    let mut bytes = Vec::new();
    let batch = Batch::new(Arc::new(Schema { fields }), columns);
    csv::write_header(batch.schema(), &mut bytes);
    csv::write_rows(&batch, &mut bytes);
    write(&place.channel(name).join("part-0.csv"), &bytes);
}

struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    /// A container's directory for a problem, everything laid down but run.
    fn of(problem: &str, rows: usize, settings: &[(&str, &str)]) -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let scene = Scene { directory };
        let place = scene.place();
        for (name, rows, seed) in [("train", rows, 1), ("validation", rows / 4, 2)] {
            let (batch, truth) = houses(rows, seed);
            channel(&place, name, &batch, &target(problem, &truth, seed));
        }
        let kind = target(problem, &[], 0).kind();
        write(&place.channel("features").join("features.json"), &features(kind).to_json());
        let mut settings: BTreeMap<&str, &str> = settings.iter().copied().collect();
        settings.insert("problem", problem);
        write(&place.hyperparameters(), &serde_json::to_vec(&settings).unwrap());
        scene
    }

    fn place(&self) -> Place {
        Place::at(self.directory.path())
    }

    fn train(&self) -> String {
        self.train_until(false).unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn train_until(&self, stop: bool) -> Result<String, Failure> {
        let mut out = Vec::new();
        train::run(&self.place(), &standard(), &AtomicBool::new(stop), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn artifact(&self) -> Artifact {
        Artifact::load(&self.place().model(), &standard()).unwrap()
    }

    fn model(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.place().model().join(name)).unwrap()
    }
}

/// A program, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(scene: &Scene, program: &mut Command) -> (Running, String) {
    let mut child = program
        .arg("serve")
        .env("SAGEMAKER_BASE_DIR", scene.directory.path())
        .env("SAGEMAKER_BIND_TO_PORT", "0")
        .env("MILLRACE_LOCAL", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    assert!(address.starts_with("127.0.0.1:"));
    (Running(child), address)
}

/// One HTTP request on its own connection: status and body.
fn request(address: &str, head: &str, headers: &[&str], body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut bytes =
        format!("{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        bytes += &format!("{header}\r\n");
    }
    bytes += "\r\n";
    stream.write_all(bytes.as_bytes()).unwrap();
    // A server that refuses a body early may close before all of it is sent.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn rmse(predicted: &[f32], truth: &[f64]) -> f64 {
    let total: f64 = predicted.iter().zip(truth).map(|(p, t)| (f64::from(*p) - t).powi(2)).sum();
    (total / truth.len() as f64).sqrt()
}

#[test]
fn a_container_trains_and_serves_and_both_see_the_same_features() {
    let scene = Scene::of("regression", 1_500, &[("num_round", "60")]);
    let output = Command::new(env!("CARGO_BIN_EXE_boost"))
        .arg("train")
        .env("SAGEMAKER_BASE_DIR", scene.directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let objective: Vec<&str> = printed.lines().filter(|line| line.starts_with("#round=")).collect();
    assert!(
        objective[0].starts_with("#round=1 train:rmse=") && objective[0].contains(" validation:rmse="),
        "{objective:?}"
    );
    assert_eq!(
        scene.model("features.json"),
        std::fs::read(scene.place().channel("features").join("features.json")).unwrap()
    );
    let importance = std::fs::read_to_string(scene.place().data().join("importance.json")).unwrap();
    let importance: serde_json::Value = serde_json::from_str(&importance).unwrap();
    assert_eq!(importance.as_array().unwrap().len(), 7, "{importance}");

    let (rows, _) = houses(40, 3);
    let expected: Vec<String> =
        scene.artifact().predict(&rows).unwrap().values.iter().map(ToString::to_string).collect();
    let (_running, address) = serve(&scene, &mut Command::new(env!("CARGO_BIN_EXE_boost")));
    assert_eq!(request(&address, "GET /ping", &[], b"").0, 200);
    let mut body = Vec::new();
    csv::write_rows(&rows, &mut body);
    let csv_type = ["Content-Type: text/csv"];
    let (status, answer) = request(&address, "POST /invocations", &csv_type, &body);
    assert_eq!(
        (status, answer.lines().collect::<Vec<_>>()),
        (200, expected.iter().map(String::as_str).collect())
    );
    // One row alone, with a header, gives what it gave among others.
    let mut single = Vec::new();
    csv::write_header(rows.schema(), &mut single);
    let keep: Vec<bool> = (0..rows.rows()).map(|row| row == 7).collect();
    csv::write_rows(&rows.filtered(&keep), &mut single);
    assert_eq!(request(&address, "POST /invocations", &csv_type, &single), (200, expected[7].clone() + "\n"));
    let json = r#"{"instances": [{"area": 0.5, "city": "Bern", "garden": true}]}"#;
    let (status, answer) =
        request(&address, "POST /invocations", &["Content-Type: application/json"], json.as_bytes());
    assert_eq!(status, 200);
    assert!(answer.starts_with("{\"predictions\":[") && answer.ends_with("]}\n"), "{answer}");
    let (_, lines) = request(
        &address,
        "POST /invocations",
        &["Content-Type: application/json", "Accept: text/csv"],
        json.as_bytes(),
    );
    assert_eq!(answer, format!("{{\"predictions\":[{}]}}\n", lines.trim_end()));

    let (status, answer) =
        request(&address, "POST /invocations", &csv_type, b"1,2,three,Bern,true,2024-01-01T00:00:00Z\n");
    assert_eq!(status, 400);
    for word in ["request:1", "rooms", "three", "an integer"] {
        assert!(answer.contains(word), "{answer}");
    }
    assert_eq!(request(&address, "POST /invocations", &["Content-Type: image/png"], b"x").0, 415);
    assert_eq!(request(&address, "POST /invocations", &["Accept: image/png"], &body).0, 406);
    assert_eq!(request(&address, "POST /invocations", &csv_type, &vec![b'1'; 6 * 1024 * 1024 + 1]).0, 413);
    let (status, answer) = request(&address, "GET /execution-parameters", &[], b"");
    assert!(status == 200 && answer.contains("\"MaxPayloadInMB\":6"), "{answer}");
}

#[test]
fn regression_finds_a_known_function() {
    let scene = Scene::of("regression", 4_000, &[]);
    scene.train();
    let (rows, truth) = houses(1_000, 3);
    let spread =
        (truth.iter().map(|t| t * t).sum::<f64>() / 1e3 - (truth.iter().sum::<f64>() / 1e3).powi(2)).sqrt();
    let found = rmse(&scene.artifact().predict(&rows).unwrap().values, &truth);
    // No model can know what is missing: 5 % of the ages, each worth a variance of 0.52
    // (sin 6u for uniform u), and 2 % of the cities, each worth 2, leave an error of
    // √(0.05 · 0.52 + 0.02 · 2) = 0.26.
    assert!(found < 0.35 && spread > 1.5, "rmse {found}, standard deviation of the truth {spread}");
}

#[test]
fn binary_and_multiclass_problems_are_told_apart() {
    let (rows, truth) = houses(1_000, 3);
    let binary = Scene::of("binary", 3_000, &[]);
    binary.train();
    let found = binary.artifact().predict(&rows).unwrap();
    let right = found.values.iter().zip(&truth).filter(|(p, t)| (**p > 0.5) == (**t > 2.5)).count();
    assert!(right > 920, "{right} of 1000");

    let classes = Scene::of("multiclass", 3_000, &[]);
    classes.train();
    let artifact = classes.artifact();
    assert_eq!(artifact.description().classes, ["low", "middle", "top"]);
    let found = artifact.predict(&rows).unwrap();
    assert_eq!(found.width, 3);
    let mut right = 0;
    for (row, truth) in found.values.chunks(3).zip(&truth) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let best = (0..3).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        right += usize::from(["low", "middle", "top"][best] == class_of(*truth));
    }
    assert!(right > 880, "{right} of 1000");
}

#[test]
fn the_model_is_the_same_bytes_on_any_number_of_threads() {
    let models: Vec<_> = ["1", "2", "4", "4"]
        .iter()
        .map(|threads| {
            let settings = [
                ("nthread", *threads),
                ("subsample", "0.7"),
                ("colsample_bytree", "0.6"),
                ("num_round", "25"),
                ("seed", "9"),
            ];
            let scene = Scene::of("binary", 1_200, &settings);
            let printed = scene.train();
            (scene.model("model.json"), scene.model("boost.json"), printed)
        })
        .collect();
    assert!(models.iter().all(|model| *model == models[0]));
}

#[test]
fn a_stop_keeps_the_rounds_so_far() {
    let scene = Scene::of("regression", 400, &[]);
    let printed = scene.train_until(true).unwrap();
    assert!(printed.contains("kept 1 rounds of 1"), "{printed}");
    assert_eq!(scene.artifact().description().rounds, 1);
}

#[test]
fn early_stopping_cuts_the_model_at_its_best_round() {
    let scene = Scene::of("regression", 600, &[("eta", "0.5"), ("early_stopping_rounds", "5")]);
    let printed = scene.train();
    let losses: Vec<f64> = printed
        .lines()
        .filter_map(|line| line.split("validation:rmse=").nth(1))
        .map(|loss| loss.parse().unwrap())
        .collect();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap() + 1;
    assert!(losses.len() < 300, "it did not stop early");
    assert_eq!(scene.artifact().description().rounds, best);
    // The file written predicts the validation rows with the loss printed for that round.
    let (rows, truth) = houses(150, 2);
    let Column::Number(labels) = target("regression", &truth, 2) else { unreachable!() };
    let labels: Vec<f64> = labels.into_iter().flatten().collect();
    let found = rmse(&scene.artifact().predict(&rows).unwrap().values, &labels);
    assert!((found - losses[best - 1]).abs() < 1e-5, "{found} against {}", losses[best - 1]);
}

#[test]
fn what_is_wrong_is_written_to_the_failure_file() {
    let cases: [(&str, &str, &str); 5] = [
        (
            "input/config/hyperparameters.json",
            "{\"learning_rate\": \"0.1\"}",
            "learning_rate: unknown hyperparameter",
        ),
        ("input/data/train/part-0.csv", "y,area\n1,2\n", "missing column"),
        (
            "input/data/train/part-0.csv",
            "y,area,age,rooms,city,garden,seen\n1,x,,,,,\n",
            "part-0.csv:2: area: type",
        ),
        ("input/data/train/part-0.csv", "y,area,age,rooms,city,garden,seen\n,1,,,,,\n", "no rows"),
        ("input/data/features/features.json", "{}", "features.json"),
    ];
    for (file, text, expected) in cases {
        let scene = Scene::of("regression", 40, &[]);
        write(&scene.directory.path().join(file), text.as_bytes());
        let output = Command::new(env!("CARGO_BIN_EXE_boost"))
            .arg("train")
            .env("SAGEMAKER_BASE_DIR", scene.directory.path())
            .output()
            .unwrap();
        assert!(!output.status.success());
        let reason = std::fs::read_to_string(scene.place().failure()).unwrap();
        assert!(reason.contains(expected) && reason.chars().count() <= 1024, "{reason}");
        assert!(!scene.place().model().join("model.json").exists());
    }
}

#[test]
fn a_model_whose_files_do_not_belong_together_is_refused() {
    let scene = Scene::of("multiclass", 400, &[("num_round", "3")]);
    scene.train();
    let other = Scene::of("binary", 400, &[("num_round", "3")]);
    other.train();
    for name in ["model.json", "boost.json"] {
        let good = scene.model(name);
        for bad in [other.model(name), good[..good.len() / 2].to_vec(), b"{}".to_vec()] {
            write(&scene.place().model().join(name), &bad);
            assert!(Artifact::load(&scene.place().model(), &standard()).is_err(), "{name}");
        }
        write(&scene.place().model().join(name), &good);
    }
    assert!(Artifact::load(&scene.place().model(), &standard()).is_ok());
}

/// The example in Python needs nothing beyond Python 3; where there is none it cannot run.
fn example() -> Option<Command> {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python/train.py"));
    found.then_some(command)
}

#[test]
fn the_python_example_keeps_the_same_contract() {
    for (problem, settings) in [("regression", vec![("ridge", "0.5")]), ("binary", vec![])] {
        let Some(mut program) = example() else {
            println!("skipped: no python3 on the path");
            return;
        };
        let scene = Scene::of(problem, 1_000, &settings);
        let output = program.arg("train").env("SAGEMAKER_BASE_DIR", scene.directory.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("#round=1 train:"));
        let (_running, address) = serve(&scene, &mut example().unwrap());
        assert_eq!(request(&address, "GET /ping", &[], b"").0, 200);
        let (rows, truth) = houses(300, 3);
        let mut body = Vec::new();
        csv::write_rows(&rows, &mut body);
        let (status, answer) = request(&address, "POST /invocations", &["Content-Type: text/csv"], &body);
        let found: Vec<f32> = answer.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!((status, found.len()), (200, 300));
        // A straight line sees neither the city nor the wave, only area and garden.
        let right = found.iter().zip(&truth).filter(|(p, t)| (**p > 0.5) == (**t > 2.5)).count();
        match problem {
            "regression" => assert!(rmse(&found, &truth) < 1.75, "{}", rmse(&found, &truth)),
            _ => assert!(right > 195, "{right} of 300"),
        }
        let json = ["Content-Type: application/json"];
        let (status, answer) =
            request(&address, "POST /invocations", &json, br#"{"instances": [{"area": "x"}]}"#);
        assert!(status == 400 && answer.contains("request:1: area"), "{status} {answer}");
        let (status, answer) =
            request(&address, "POST /invocations", &json, br#"{"instances": [{"area": 1}]}"#);
        assert!(status == 200 && answer.starts_with("{\"predictions\": ["), "{status} {answer}");
    }
}

/// The Python that has XGBoost, if there is one.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("MILLRACE_PYTHON").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    named.or_else(|| own.exists().then_some(own))
}

#[test]
fn xgboost_predicts_the_same_from_the_exported_model() {
    let Some(python) = python() else {
        println!("skipped: no Python with XGBoost (MILLRACE_PYTHON, or .venv/bin/python at the root)");
        return;
    };
    for problem in ["regression", "binary", "multiclass"] {
        let scene = Scene::of(problem, 3_000, &[("num_round", "120"), ("subsample", "0.8")]);
        scene.train();
        let (rows, _) = houses(2_000, 5);
        let artifact = scene.artifact();
        let matrix = artifact.encode(&rows).unwrap();
        let predictions = artifact.predict(&rows).unwrap();
        let model = scene.place().model();
        let floats =
            |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let types: Vec<&str> = matrix.categorical.iter().map(|c| if *c { "c" } else { "q" }).collect();
        let shape = serde_json::json!({"rows": matrix.rows, "width": predictions.width, "types": types});
        write(&model.join("shape.json"), shape.to_string().as_bytes());
        write(&model.join("matrix.bin"), &floats(&matrix.values));
        write(&model.join("predictions.bin"), &floats(&predictions.values));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xgboost_parity.py");
        let output = Command::new(&python)
            .arg(script)
            .arg(&model)
            .env("OMP_NUM_THREADS", "1")
            .env("OMP_WAIT_POLICY", "PASSIVE")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let difference: f64 = printed
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{problem}: {}", String::from_utf8_lossy(&output.stderr)));
        println!("{problem}: largest difference {difference}");
        // Exponentials differ in their last bit between libraries, sums of leaves do not.
        assert!(difference <= 1e-6, "{problem}: {difference}");
    }
}
