//! The rules of a judgement: which rows are fair, and against whom.

use domain::row::{Applied, Run, Selection, Served, Side};
use engine::features::Target;
use engine::table::Schema;

/// Fewer rows than this that neither model was trained on make no comparison: a bootstrap of
/// fewer says nothing.
pub const COMPARABLE_ROWS_MIN: u64 = 30;

/// Whether a run can still be judged under what is applied now.
pub fn is_current(run: &Run, applied: &Applied) -> Result<(), String> {
    let changed = if run.features.digest != applied.features.digest {
        "features or target"
    } else if run.program != applied.program_digest {
        "training program"
    } else {
        return Ok(());
    };
    Err(format!(
        "the pipeline's {changed} changed with revision {} while this run was under way; ask for a new run",
        applied.revision
    ))
}

/// Whether a model learned from this selection was shown a row: in training or in validation.
pub fn trained_on(selection: &Selection, part: u64, bucket: u64, time: Option<i64>) -> bool {
    let selected = selection.parts.iter().any(|selected| selected.number == part);
    selected && selection.cut.side(bucket, time) != Side::Test
}

/// How a champion can be fed the candidate's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feed {
    /// As they are.
    Same,
    /// With these columns, in this order.
    Columns(Vec<usize>),
    /// Not at all: why, in one sentence.
    Not(String),
}

/// How a champion that reads `theirs` can be fed rows of `ours`.
pub fn feed(version: u32, ours: &Schema, theirs: &Schema) -> Feed {
    if ours == theirs {
        return Feed::Same;
    }
    let mut columns = Vec::with_capacity(theirs.fields.len());
    for field in &theirs.fields {
        match ours.fields.iter().position(|our| our == field) {
            Some(position) => columns.push(position),
            None => {
                return Feed::Not(format!(
                    "champion version {version} reads the column {}, which the withheld rows lack, so the candidate is compared with the naive baseline alone",
                    field.name
                ));
            }
        }
    }
    Feed::Columns(columns)
}

/// Whether two models predict the same thing; if not, why in one sentence.
pub fn same_thing(version: u32, ours: (&Served, &Target), theirs: (&Served, &Target)) -> Result<(), String> {
    let different = if ours.0.problem != theirs.0.problem {
        "has another problem type"
    } else if ours.0.target.expression() != theirs.0.target.expression() || ours.1.kind != theirs.1.kind {
        "predicts another target"
    } else if ours.0.classes != theirs.0.classes {
        "knows other classes"
    } else {
        return Ok(());
    };
    Err(format!(
        "champion version {version} {different}, so the candidate is compared with the naive baseline alone"
    ))
}

/// Whether enough rows are left for a judgement.
pub fn enough(rows: u64, withheld: u64, champion: Option<u32>) -> Result<(), String> {
    match champion {
        Some(version) if rows < COMPARABLE_ROWS_MIN => Err(format!(
            "only {rows} of {withheld} withheld rows were not trained on by champion version {version}; {COMPARABLE_ROWS_MIN} are needed to compare"
        )),
        _ if rows == 0 => Err("no row was withheld from training, so nothing can be judged".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::pipeline::{ProblemType, Program, Target as Declared};
    use domain::row::{Cut, File, SelectedPart};
    use domain::{BlobPath, Digest, Time};
    use engine::table::Kind;

    fn selection(parts: &[u64], cut: Cut) -> Selection {
        let digest = Digest::of(b"part");
        let part = |number: &u64| SelectedPart {
            number: *number,
            digest,
            data: File { path: BlobPath::parse("part").unwrap(), digest },
            bytes: 1,
            rows: 1,
            as_of: Time::from_millis(0),
        };
        Selection { parts: parts.iter().map(part).collect(), cut, features: digest }
    }

    #[test]
    fn a_row_is_fair_if_the_champion_never_saw_it() {
        let entity = selection(&[1, 2], Cut::Entity { test: 2_000, validation: 1_000 });
        for (part, bucket, shown) in
            [(1, 1_999, false), (2, 2_000, true), (2, 2_999, true), (2, 9_000, true), (3, 9_000, false)]
        {
            assert_eq!(trained_on(&entity, part, bucket, None), shown, "part {part}, bucket {bucket}");
        }
        let time = selection(&[1], Cut::Time { column: "at".into(), validation: 100, test: 200 });
        for (at, shown) in [(Some(99), true), (Some(150), true), (Some(200), false), (None, true)] {
            assert_eq!(trained_on(&time, 1, 0, at), shown, "{at:?}");
        }
    }

    #[test]
    fn a_champion_is_fed_its_own_columns() {
        let ours = Schema::of([("a", Kind::Number), ("b", Kind::Text), ("c", Kind::Integer)]);
        assert_eq!(feed(1, &ours, &ours), Feed::Same);
        let fewer = Schema::of([("c", Kind::Integer), ("a", Kind::Number)]);
        assert_eq!(feed(1, &ours, &fewer), Feed::Columns(vec![2, 0]));
        for theirs in [Schema::of([("d", Kind::Number)]), Schema::of([("a", Kind::Text)])] {
            assert!(matches!(feed(1, &ours, &theirs), Feed::Not(_)), "{theirs:?}");
        }
    }

    #[test]
    fn only_models_of_the_same_thing_are_compared() {
        let served = |problem, target: &str, classes: &[&str]| Served {
            program: Program::Boost,
            files: Default::default(),
            target: Declared::Column(target.into()),
            problem,
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        };
        let target = |kind| Target { name: "y".into(), kind, expression: None, known: Default::default() };
        let number = target(Kind::Number);
        let regression = served(ProblemType::Regression, "y", &[]);
        let two = served(ProblemType::Binary, "y", &["no", "yes"]);
        for (ours, theirs, kind, expected) in [
            (&regression, &regression, Kind::Number, None),
            (&regression, &regression, Kind::Integer, Some("predicts another target")),
            (
                &regression,
                &served(ProblemType::Regression, "z", &[]),
                Kind::Number,
                Some("predicts another target"),
            ),
            (&regression, &two, Kind::Number, Some("has another problem type")),
            (&two, &served(ProblemType::Binary, "y", &["0", "1"]), Kind::Number, Some("knows other classes")),
        ] {
            let found = same_thing(4, (ours, &number), (theirs, &target(kind)));
            match expected {
                None => assert_eq!(found, Ok(())),
                Some(text) => assert!(found.unwrap_err().contains(text), "{text}"),
            }
        }
    }

    #[test]
    fn too_few_fair_rows_are_no_judgement() {
        assert_eq!(enough(30, 400, Some(1)), Ok(()));
        assert_eq!(
            enough(29, 400, Some(1)).unwrap_err(),
            "only 29 of 400 withheld rows were not trained on by champion version 1; 30 are needed to compare"
        );
        assert_eq!(enough(1, 1, None), Ok(()));
        assert!(enough(0, 0, None).is_err());
    }
}
