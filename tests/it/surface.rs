//! What people see of the command: its help, its tables of one played life, its errors.

use std::fs;

use insta::{Settings, assert_snapshot};
use serde_json::Value;

use crate::command::{place, run};
use crate::http::{Asked, Caller};
use crate::server::Server;
use crate::small::{self, PIPELINE};

/// Puts marks in the place of what differs between two machines or two tellings.
fn marked() -> insta::internals::SettingsBindDropGuard {
    let mut settings = Settings::clone_current();
    settings.add_filter("sha256:[0-9a-f]{64}", "sha256:…");
    // As long as what they stand for, so that columns stay where they are.
    settings.add_filter(r"\b[0-9a-f]{12}\b", "xxxxxxxxxxxx");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
    settings.add_filter(r"a model in \d+ s", "a model in N s");
    // An endpoint's program comes up after its server did, and that it did is an input to handle.
    settings.add_filter(r"\(virtual clock\) · .*", "(virtual clock) · at rest");
    settings.bind_to_scope()
}

#[test]
fn help_says_what_there_is_and_how_it_is_used() {
    let place = place(&[]);
    let help = |arguments: &[&str]| {
        let ran = run(place.path(), arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
        ran.out
    };
    assert_snapshot!(help(&["--help"]), @r"
    The life of a machine-learning model: data contracts, training, approval, serving, drift

    Usage: millrace [OPTIONS] <COMMAND>

    Commands:
      profile      Describe every column of a file
      validate     Hold a file against a data contract (Open Data Contract Standard v3.1)
      drift        Compare two files, or list the checks of a pipeline's traffic: has it drifted?
      demo         Play one model's whole life on generated data, on a server of its own
      up           Serve a data directory on this machine, until it is stopped with Ctrl-C
      apply        Declare a pipeline, or change it
      upload       Upload files to a pipeline
      status       Everything at a glance
      datasets     What was uploaded, and what became of it
      runs         The runs of a pipeline, or one of them
      trials       The trials of a run that searches for hyperparameters, best first
      models       The model versions of a pipeline, or one of them
      train        Ask for a run
      budget       What runs may take this month, what they took, and which are held
      lift         Let the runs that are held go over their budget
      approve      Let a version into production
      reject       Turn a version down
      rollback     Let an approved version serve again
      invoke       Ask an endpoint for predictions
      labels       Send the truth about earlier predictions
      events       What happened, from the ledger
      lineage      Everything that a version is made of; or what came of a part, or what is behind an
                   answer
      audit        Hold the ledger against itself, or against a head that was kept elsewhere
      redrive      Deliver once more what a function could not handle
      fetch        Write a report or another recorded file
      clock        Tell the server's time, or move the clock of a virtual directory
      completions  Print a completion script for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
          --json     Print JSON, for programs
      -h, --help     Print help
      -V, --version  Print version

    Server:
          --data <DIR>  The data directory of the Millrace that is asked [env: MILLRACE_DATA=] [default:
                        millrace-data]
          --as <NAME>   Act as this person; only a demo's directory allows it

    Exit codes: 0 done · 1 it could not be done · 2 wrong command line · 3 done, and what was looked
    at is not well (a file that breaks its contract, a run without a model, drift)

    A first minute, on any file:
      millrace profile quotes.csv
      millrace validate quotes.csv --contract contract.yaml
      millrace drift january.csv april.csv

    A first hour, with a running Millrace:
      millrace demo
      millrace up
      millrace apply pipeline.yaml
      millrace upload home-insurance quotes.csv --wait
      millrace train home-insurance --reason 'a first model' --wait
      millrace status
    ");
    assert_snapshot!(help(&["upload", "--help"]), @r"
    Upload files to a pipeline

    Usage: millrace upload [OPTIONS] <PIPELINE> <FILE>...

    Arguments:
      <PIPELINE>  The pipeline
      <FILE>...   Tables: CSV with a header, JSON Lines (either packed with gzip or zstd, or not), or
                  Parquet

    Options:
          --as-of <TIME>       The business time of the rows: a date or an RFC 3339 time; now where none
                               is given
          --json               Print JSON, for programs
          --wait               Wait for the end
          --timeout <SECONDS>  Wait no longer than this; the work goes on without us
      -h, --help               Print help

    Server:
          --data <DIR>  The data directory of the Millrace that is asked [env: MILLRACE_DATA=] [default:
                        millrace-data]
          --as <NAME>   Act as this person; only a demo's directory allows it

    Examples:
      millrace upload home-insurance quotes.csv --wait
      millrace upload home-insurance 2026-*.csv
      millrace upload home-insurance january.csv --as-of 2026-01-31

    Safe to repeat: the same bytes are accepted once. With --wait, exit code 3 where a file was
    rejected.
    ");
    assert_snapshot!(help(&["approve", "--help"]), @r"
    Let a version into production

    Usage: millrace approve [OPTIONS] <PIPELINE> <VERSION>

    Arguments:
      <PIPELINE>  The pipeline
      <VERSION>   The version

    Options:
          --json               Print JSON, for programs
          --reason <REASON>    Why, for the ledger
          --binding <DIGEST>   What exactly is approved, as `millrace models PIPELINE VERSION` shows it:
                               anything else is refused
          --wait               Wait for the end
          --timeout <SECONDS>  Wait no longer than this; the work goes on without us
      -h, --help               Print help

    Server:
          --data <DIR>  The data directory of the Millrace that is asked [env: MILLRACE_DATA=] [default:
                        millrace-data]
          --as <NAME>   Act as this person; only a demo's directory allows it

    Examples:
      millrace approve home-insurance 2 --reason 'better in every region' --wait
      millrace approve home-insurance 2 --binding sha256:…   # exactly what `millrace models` showed

    With --wait, exit code 3 where the version was kept from its endpoint.
    ");
    assert_snapshot!(help(&["audit", "verify", "--help"]), @r"
    Check every event, every link between them and every row against them

    Usage: millrace audit verify [OPTIONS] <PIPELINE>

    Arguments:
      <PIPELINE>  The pipeline

    Options:
          --head <PLACE:sha256:HEX>  A head that was kept elsewhere
          --json                     Print JSON, for programs
      -h, --help                     Print help

    Server:
          --data <DIR>  The data directory of the Millrace that is asked [env: MILLRACE_DATA=] [default:
                        millrace-data]
          --as <NAME>   Act as this person; only a demo's directory allows it

    Examples:
      millrace audit verify home-insurance
      millrace audit verify home-insurance --head 120:sha256:…

    The head that it prints is worth keeping elsewhere: whoever owns the data directory could rewrite
    the whole ledger, and only a head kept elsewhere finds that. Exit code 3 where something is wrong.
    ");
}

#[test]
fn a_played_life_can_be_looked_at() {
    let place = place(&[]);
    let played = run(place.path(), &["demo", "--into", "life"]);
    assert_eq!(played.code, 0, "{}{}", played.out, played.err);
    let server = Server::over(&place.path().join("life/data"), "2026-03-01T09:00:00Z");
    // A start looks through everything; what is looked at here is a server at rest.
    server.until("rest", || {
        let runtime = server.get("/api/runtime");
        (runtime["waiting"] == 0 && runtime["working"] == 0).then_some(())
    });
    let look = |arguments: &[&str], code: i32| {
        let ran = server.ask("olga", arguments);
        assert_eq!((ran.code, ran.err.as_str()), (code, ""), "{arguments:?}");
        let json = server.ask("olga", &[arguments, &["--json"]].concat());
        assert_eq!(json.code, code, "{arguments:?} --json: {}", json.err);
        serde_json::from_str::<Value>(&json.out).unwrap_or_else(|_| panic!("{arguments:?}: {}", json.out));
        format!("$ millrace {}\n{}", arguments.join(" "), ran.out)
    };
    for (page, told) in [
        ("models/2", "quotes-2026-04.csv uploaded by dora"),
        ("models", "card of version 1"),
        ("drift", "<code>market_value</code>"),
        ("endpoint", "home-insurance serves version 2"),
        ("ledger", "DriftDetected"),
        ("parts/2", "run 2"),
    ] {
        let asked = Asked::page(&format!("/pipelines/{PIPELINE}/{page}"));
        let (status, body) = Caller::new().send(&server.address(), &asked).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(status == 200 && body.contains(told), "{page} does not say {told:?}:\n{body}");
    }
    let _marked = marked();
    assert_snapshot!(look(&["status"], 0), @r"
    $ millrace status
    http://127.0.0.1:PORT/ · 2026-04-30T12:00:00.000Z (virtual clock) · at rest

     PIPELINE        REVISION  PARTS  RUNS  VERSIONS  SERVES     TO APPROVE  LAST CHECK
     home-insurance  1         3      2     2         version 2  –           concept drift
                                                                             (2026-04-30T12:00:00.000Z)
    ");
    assert_snapshot!(look(&["datasets", PIPELINE], 0), @r"
    $ millrace datasets home-insurance
     UPLOADED             BY    FILE                   FATE                  ROWS   BAD    UPLOAD
     2026-03-01 09:00:00  dora  quotes-2026-02-broken  rejected: 4000 of     4,000  4,000  xxxxxxxxxxxx
                                .csv                   4000 rows are bad
                                                       (100.0 %), the
                                                       contract tolerates 5
                                                       %
     2026-03-01 09:00:00  dora  quotes-2026-01.csv     accepted as part 1    4,000  0      xxxxxxxxxxxx
     2026-03-01 09:00:00  dora  quotes-2026-02.csv     accepted as part 2    4,000  80     xxxxxxxxxxxx
     2026-04-30 12:00:00  dora  quotes-2026-04.csv     accepted as part 3    4,000  0      xxxxxxxxxxxx

    reports, for `millrace fetch PATH`:
      xxxxxxxxxxxx  parts/home-insurance/xxxxxxxxxxxx/xxxxxxxxxxxx/report.html
      xxxxxxxxxxxx  parts/home-insurance/xxxxxxxxxxxx/xxxxxxxxxxxx/report.html
      xxxxxxxxxxxx  parts/home-insurance/xxxxxxxxxxxx/xxxxxxxxxxxx/report.html
      xxxxxxxxxxxx  parts/home-insurance/xxxxxxxxxxxx/xxxxxxxxxxxx/report.html

     PART  OF          ROWS   BAD  DIGEST        UPLOAD
     1     2026-01-31  4,000  0    xxxxxxxxxxxx  xxxxxxxxxxxx
     2     2026-02-28  3,920  80   xxxxxxxxxxxx  xxxxxxxxxxxx
     3     2026-04-30  4,000  0    xxxxxxxxxxxx  xxxxxxxxxxxx
    ");
    assert_snapshot!(look(&["runs", PIPELINE], 0), @r"
    $ millrace runs home-insurance
     RUN  AT          STATE                    BY              WHY                      PARTS    ROWS
     1    2026-03-01  registered as version 1  bianca          the first model of the   1, 2     7,920
          09:00:00                                             year
     2    2026-04-30  registered as version 2  function:drift  the error has grown:     1, 2, 3  11,920
          12:00:00                                             root mean squared error
                                                               133.64 → 454.38 on
                                                               1,500 labelled rows,
                                                               loss × 11.56; no
                                                               column's movement
                                                               explains it; the
                                                               model's answers have
                                                               drifted (Jensen–Shannon
                                                               distance 0.229,
                                                               adjusted p <1e-6);
                                                               market_value has
                                                               drifted (Jensen–Shannon
                                                               distance 0.391,
                                                               adjusted p <1e-6)
    ");
    assert_snapshot!(look(&["models", PIPELINE], 0), @r"
    $ millrace models home-insurance
     VERSION  AT          APPROVAL     ASKED FOR BY       COMPARED WITH  METRICS           BINDING
     1        2026-03-01  approved by  bianca             –              mae 91.426, mape  xxxxxxxxxxxx
              09:00:00    carlos                                         0.15917,
                                                                         median_ae
                                                                         62.843, r2
                                                                         0.85732, rmse
                                                                         133.64
     2        2026-04-30  approved by  function:drift     version 1      mae 125.93, mape  xxxxxxxxxxxx
              12:00:00    carlos                                         0.16676,
                                                                         median_ae
                                                                         78.803, r2
                                                                         0.87276, rmse
                                                                         210.09
    ");
    assert_snapshot!(look(&["events", PIPELINE], 0), @r"
    $ millrace events home-insurance
        1  2026-03-01T09:00:00.000Z  alice applied revision 1 of the pipeline (xxxxxxxxxxxx)
        2  2026-03-01T09:00:00.000Z  accepted part 1: 4000 rows
        3  2026-03-01T09:00:00.000Z  rejected quotes-2026-02-broken.csv: 4000 of 4000 rows are bad (100.0 %), the contract tolerates 5 %
        4  2026-03-01T09:00:00.000Z  accepted part 2: 3920 rows, 80 bad rows in quarantine
        5  2026-03-01T09:00:00.000Z  bianca asked for a run: the first model of the year
        6  2026-03-01T09:00:00.000Z  planned run 1: the first model of the year
        7  2026-03-01T09:00:00.000Z  started job home-insurance-train-xxxxxxxxxxxx
        8  2026-03-01T09:00:00.000Z  trained a model in N s (xxxxxxxxxxxx)
        9  2026-03-01T09:00:00.000Z  asked the candidate to predict the withheld rows
       10  2026-03-01T09:00:00.000Z  registered version 1, waiting for approval: the candidate beats the naive baseline: mean squared error 17,861 against 125,336 of the naive baseline (difference −107,475, 95 % interval −125,796 to −93,616)
       11  2026-03-01T09:00:00.000Z  carlos approved version 1
       12  2026-03-01T09:00:00.000Z  bringing up version 1 for home-insurance
       13  2026-03-01T09:00:00.000Z  home-insurance now serves version 1 (16 golden requests answered right)
       14  2026-03-31T12:00:00.000Z  drift check: ok: 9 columns compared, none has changed beyond chance and floor
       15  2026-04-30T12:00:00.000Z  drift check: drift: the model's answers have drifted (Jensen–Shannon distance 0.229, adjusted p <1e-6); market_value has drifted (Jensen–Shannon distance 0.391, adjusted p <1e-6)
       16  2026-04-30T12:00:00.000Z  drift: the model's answers have drifted (Jensen–Shannon distance 0.229, adjusted p <1e-6); market_value has drifted (Jensen–Shannon distance 0.391, adjusted p <1e-6)
       17  2026-04-30T12:00:00.000Z  received 1500 labels
       18  2026-04-30T12:00:00.000Z  drift check: concept drift: the error has grown: root mean squared error 133.64 → 454.38 on 1,500 labelled rows, loss × 11.56; no column's movement explains it; the model's answers have drifted (Jensen–Shannon distance 0.229, adjusted p <1e-6); market_value has drifted (Jensen–Shannon distance 0.391, adjusted p <1e-6)
       19  2026-04-30T12:00:00.000Z  concept drift: the error has grown: root mean squared error 133.64 → 454.38 on 1,500 labelled rows, loss × 11.56; no column's movement explains it; the model's answers have drifted (Jensen–Shannon distance 0.229, adjusted p <1e-6); market_value has drifted (Jensen–Shannon distance 0.391, adjusted p <1e-6)
       20  2026-04-30T12:00:00.000Z  accepted part 3: 4000 rows
       21  2026-04-30T12:00:00.000Z  planned run 2: the error has grown: root mean squared error 133.64 → 454.38 on 1,500 labelled rows, loss × 11.56; no column's movement explains it; the model's answers have drifted (Jensen–Shannon distance 0.229, adjusted p <1e-6); market_value has drifted (Jensen–Shannon distance 0.391, adjusted p <1e-6)
       22  2026-04-30T12:00:00.000Z  started job home-insurance-train-xxxxxxxxxxxx
       23  2026-04-30T12:00:00.000Z  trained a model in N s (xxxxxxxxxxxx)
       24  2026-04-30T12:00:00.000Z  asked the candidate and champion version 1 to predict the withheld rows
       25  2026-04-30T12:00:00.000Z  registered version 2, waiting for approval: the candidate beats the champion: mean squared error 44,137 against 102,726 of the champion (difference −58,589, 95 % interval −83,979 to −43,661)
       26  2026-04-30T12:00:00.000Z  carlos approved version 2
       27  2026-04-30T12:00:00.000Z  bringing up version 2 for home-insurance
       28  2026-04-30T12:00:00.000Z  home-insurance now serves version 2 (16 golden requests answered right)
       29  2026-04-30T12:00:00.000Z  bianca asked home-insurance to go back to version 1
       30  2026-04-30T12:00:00.000Z  bringing up version 1 for home-insurance
       31  2026-04-30T12:00:00.000Z  home-insurance now serves version 1 (16 golden requests answered right)
       32  2026-04-30T12:00:00.000Z  bianca asked home-insurance to go back to version 2
       33  2026-04-30T12:00:00.000Z  bringing up version 2 for home-insurance
       34  2026-04-30T12:00:00.000Z  home-insurance now serves version 2 (16 golden requests answered right)
    ");
    assert_snapshot!(look(&["lineage", PIPELINE, "--part", "1"], 0), @r"
    $ millrace lineage home-insurance --part 1
     RUN  STATE       VERSION  PLANNED     ASKED FOR BY    WHY
     1    registered  1        2026-03-01  bianca          the first model of the year
     2    registered  2        2026-04-30  function:drift  the error has grown: root mean squared error
                                                           133.64 → 454.38 on 1,500 labelled rows, loss
                                                           × 11.56; no column's movement explains it;
                                                           the model's answers have drifted
                                                           (Jensen–Shannon distance 0.229, adjusted p
                                                           <1e-6); market_value has drifted
                                                           (Jensen–Shannon distance 0.391, adjusted p
                                                           <1e-6)
    ");
    let behind = look(&["lineage", PIPELINE, "--prediction", "march-00000"], 0);
    assert!(behind.contains("answered     2026-03-15T12:00:00.000Z\n"), "{behind}");
    assert!(behind.contains("version       1\n") && behind.contains("quotes-2026-01.csv"), "{behind}");
    assert_snapshot!(look(&["lineage", PIPELINE, "2"], 0), @r"
    $ millrace lineage home-insurance 2
    version       2
    approval      approved by carlos
    binding       sha256:…
    run           2 (xxxxxxxxxxxx)
    asked for by  function:drift at 2026-04-30T12:00:00.000Z
    why           the error has grown: root mean squared error 133.64 → 454.38 on 1,500 labelled rows, loss × 11.56; no column's movement explains it; the model's answers have drifted (Jensen–Shannon distance 0.229, adjusted p <1e-6); market_value has drifted (Jensen–Shannon distance 0.391, adjusted p <1e-6)
    report page   runs/home-insurance/xxxxxxxxxxxx/evaluation-xxxxxxxxxxxx.html
    pipeline      sha256:…
    contract      sha256:…
    features      sha256:…
    program       sha256:…
    selection     sha256:…
    artifact      sha256:…
    evaluation    sha256:…
    report        sha256:…

     PART  FILE                BY    OF          ROWS  DIGEST
     1     quotes-2026-01.csv  dora  2026-01-31  4000  xxxxxxxxxxxx
     2     quotes-2026-02.csv  dora  2026-02-28  3920  xxxxxxxxxxxx
     3     quotes-2026-04.csv  dora  2026-04-30  4000  xxxxxxxxxxxx
    ");
    assert_snapshot!(look(&["audit", "verify", PIPELINE], 0), @r"
    $ millrace audit verify home-insurance
    home-insurance: 34 events and 25 rows hold
    head: 34:sha256:…
    ");
    // What it lists has drifted.
    assert_snapshot!(look(&["drift", PIPELINE], 3), @r"
    $ millrace drift home-insurance
     AT                     VERSION  VERDICT        ROWS   LABELLED  COLUMNS       SUMMARY
     2026-03-31T12:00:00.0  1        ok             1,500  0                       9 columns compared,
     00Z                                                                           none has changed
                                                                                   beyond chance and
                                                                                   floor
     2026-04-30T12:00:00.0  1        concept drift  1,500  1,500     market_value  the error has grown:
     00Z                                                                           root mean squared
                                                                                   error 133.64 →
                                                                                   454.38 on 1,500
                                                                                   labelled rows, loss
                                                                                   × 11.56; no column's
                                                                                   movement explains
                                                                                   it; the model's
                                                                                   answers have drifted
                                                                                   (Jensen–Shannon
                                                                                   distance 0.229,
                                                                                   adjusted p <1e-6);
                                                                                   market_value has
                                                                                   drifted
                                                                                   (Jensen–Shannon
                                                                                   distance 0.391,
                                                                                   adjusted p <1e-6)
     2026-04-30T12:00:00.0  1        drift          1,500  0         market_value  the model's answers
     00Z                                                                           have drifted
                                                                                   (Jensen–Shannon
                                                                                   distance 0.229,
                                                                                   adjusted p <1e-6);
                                                                                   market_value has
                                                                                   drifted
                                                                                   (Jensen–Shannon
                                                                                   distance 0.391,
                                                                                   adjusted p <1e-6)
    ");
    assert_snapshot!(look(&["redrive", "--list"], 0), @r"
    $ millrace redrive --list
    nothing was put aside
    ");
}

#[test]
fn errors_say_what_was_tried_on_what_and_why_not() {
    let server = Server::fresh("2026-03-01T09:00:00Z");
    let folder = server.data().parent().unwrap().to_owned();
    let failed = |person: &str, arguments: &[&str], code: i32| {
        let ran = server.ask(person, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?}: {}", ran.err);
        ran.err
    };
    assert_snapshot!(run(&folder, &["status", "--data", "nowhere"]).err, @"error: no Millrace serves nowhere. Start one with `millrace up --data nowhere`");
    assert_snapshot!(failed("olga", &["runs", "nothing-like-it"], 1), @"error: there is no pipeline nothing-like-it (see `millrace status` for those there are, and `millrace apply` to declare one)");

    small::declare(&folder, &small::declaration(&[]));
    let contract = small::example("contract.yaml");
    fs::write(folder.join("contract.yaml"), contract.replace("logicalType: boolean", "logicalType: maybe"))
        .unwrap();
    assert_snapshot!(failed("alice", &["apply", "pipeline.yaml"], 1), @r#"
    error: contract.yaml:54:22: alarm.logicalType: not enforced: found "maybe", expected string, integer, number, boolean, date or timestamp
               |
            54 |         logicalType: maybe
               |                      ^
    "#);
    let misspelt = small::declaration(&[("time: quoted_at", "time: quotedat"), ("[quote_id]", "[quote]")]);
    small::declare(&folder, &misspelt);
    assert_snapshot!(failed("alice", &["apply", "pipeline.yaml"], 1), @r#"
    error: pipeline.yaml:7:9: entity: unknown column: found "quote", expected one of quote_id, quoted_at, region, wall_type, build_year, floor_area, bedrooms, market_value, claims_before, alarm, claim_cost
              |
            7 | entity: [quote]
              |         ^
           pipeline.yaml:8:7: time: unknown column: found "quotedat", expected one of quote_id, quoted_at, region, wall_type, build_year, floor_area, bedrooms, market_value, claims_before, alarm, claim_cost
              |
            8 | time: quotedat
              |       ^
    "#);

    small::apply(&server, &small::declaration(&[]));
    small::upload(&server, 1);
    let trained = server.json("bianca", &["train", PIPELINE, "--reason", "a first one", "--wait"]);
    assert_eq!(trained["version"], 1, "{trained:#}");
    assert_snapshot!(failed("bianca", &["approve", PIPELINE, "1", "--reason", "mine is fine"], 1), @"error: bianca asked for the run of version 1; four eyes need another approver: carlos");
    assert_snapshot!(failed("dora", &["approve", PIPELINE, "1", "--reason", "I like it"], 1), @"error: dora is not an approver; the policy names bianca, carlos, and only they can decide or change it");
    let another = format!("sha256:{}", "0".repeat(64));
    let _marked = marked();
    assert_snapshot!(failed("carlos", &["approve", PIPELINE, "1", "--binding", &another], 1), @"error: version 1 is bound to xxxxxxxxxxxx, not to xxxxxxxxxxxx");
    assert_snapshot!(failed("carlos", &["rollback", PIPELINE], 1), @"error: home-insurance serves nothing yet");
    assert_snapshot!(failed("carlos", &["lineage", PIPELINE, "7"], 1), @"error: home-insurance has no version 7");
}

#[test]
fn a_wrong_command_line_ends_with_code_2_and_says_what_is_missing() {
    let place = place(&[]);
    let wrong = |arguments: &[&str]| {
        let ran = run(place.path(), arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        ran.err
    };
    assert_snapshot!(wrong(&["uplaod", PIPELINE]), @r"
    error: unrecognized subcommand 'uplaod'

      tip: some similar subcommands exist: 'up', 'upload'

    Usage: millrace [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(wrong(&["train", PIPELINE]), @r"
    error: the following required arguments were not provided:
      --reason <REASON>

    Usage: millrace train --reason <REASON> <PIPELINE>

    For more information, try '--help'.
    ");
    assert_snapshot!(wrong(&["redrive"]), @r"
    error: the following required arguments were not provided:
      <ID|--all|--list>

    Usage: millrace redrive <ID|--all|--list>

    For more information, try '--help'.
    ");
    assert_snapshot!(wrong(&["approve", PIPELINE, "latest"]), @r#"
    error: invalid value 'latest' for '<VERSION>': expected a version's number from 1, found "latest"

    For more information, try '--help'.
    "#);
    assert_snapshot!(wrong(&["drift", "only-one.csv"]), @r"
    error: only-one.csv is a file's name and not a pipeline's: to compare files, name two of them

    Usage: millrace drift [OPTIONS] <REFERENCE|PIPELINE> [CURRENT]

    For more information, try '--help'.
    ");
}
