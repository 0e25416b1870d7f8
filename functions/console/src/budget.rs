//! What runs may take, what they took, and which are held for it until somebody lets them.

use domain::budget::{self, JobSeconds};
use domain::key::prefix;
use domain::row::{Ask, Run};
use domain::{Event, Key, PipelineName, Time};
use engine::page::{Cell, Html, facts};
use engine::text;
use ports::handler::Plan;
use ports::http::{Request, Response};
use ports::{Cx, Error, RecordsExt};
use serde_json::{Value, json};

use crate::ask::{Said, body};
use crate::decide::{is_approver, not_an_approver};
use crate::pages::some;
use crate::{Console, Granted, NAME, Refusal};

impl Console {
    /// What asks for a run and is held for its budget.
    pub(crate) async fn held(&self, name: &PipelineName) -> Result<Vec<Ask>, Error> {
        let asks = self.records.all::<Ask>(&Key::partition(name), &Ask::waiting(name).sort).await?;
        Ok(asks.into_iter().map(|(_, row)| row.value).filter(|ask| ask.held.is_some()).collect())
    }

    async fn runs_of_month(&self, name: &PipelineName, now: Time) -> Result<Vec<Run>, Error> {
        let mut runs: Vec<Run> = self.rows(name, prefix::RUN).await?;
        runs.retain(|run| run.at.month() == now.month());
        runs.sort_by_key(|run| run.number);
        Ok(runs)
    }

    /// The budget of this month: declared, taken by which runs, and what is held.
    pub(crate) async fn budget(&self, cx: &Cx, name: &PipelineName) -> Granted {
        let declared = self.applied(name).await?.value.spec.budget;
        let runs = self.runs_of_month(name, cx.now).await?;
        let amount =
            |taken: JobSeconds| json!({ "seconds": taken.total(), "money": taken.money(&declared.prices) });
        let row = |run: &Run| {
            json!({
                "run": run.number,
                "state": run.state.word(),
                "over": run.state.is_over(),
                "takes": amount(run.takes()),
                "lifted": run.spend.lifted,
            })
        };
        let held: Vec<Value> = (self.held(name).await?.iter())
            .map(|ask| {
                json!({
                    "run": ask.held, "trigger": ask.trigger, "by": ask.by, "at": ask.at,
                    "reason": ask.reason, "waits": ask.waits,
                })
            })
            .collect();
        Ok(Response::json(
            200,
            &json!({
                "month": cx.now.month(),
                "declared": declared,
                "taken": amount(budget::taken(&runs, cx.now)),
                "runs": runs.iter().map(row).collect::<Vec<_>>(),
                "held": held,
            }),
        ))
    }

    /// Lets every run that is held now go over the budget.
    pub(crate) async fn lift(&self, cx: &Cx, pipeline: &PipelineName, request: &Request) -> Granted {
        let said: Said = body(request)?;
        if said.reason.is_empty() {
            return Err(Refusal::Because(400, "say why the budget is lifted (--reason)".into()));
        }
        if self.was_accepted(cx, pipeline, request, "lift").await? {
            return Ok(crate::ask::accepted_before());
        }
        let applied = self.applied(pipeline).await?.value;
        if !is_approver(&request.actor, &applied) {
            return Err(Refusal::Because(403, not_an_approver(&request.actor, &applied)));
        }
        let runs: Vec<String> = self.held(pipeline).await?.into_iter().filter_map(|ask| ask.held).collect();
        if runs.is_empty() {
            return Err(Refusal::Because(409, format!("no run of {pipeline} is held for its budget")));
        }
        let mut plan = Plan::caused(NAME, cx, &request.id, pipeline, "lift");
        plan.emit_as(Event::BudgetLifted { runs, reason: said.reason }, request.actor.clone(), None);
        self.accept(plan).await
    }

    /// The budget on a pipeline's page; none where nothing is bounded.
    pub(crate) async fn budget_section(
        &self,
        name: &PipelineName,
        now: Time,
    ) -> Result<Option<Html>, Refusal> {
        let declared = self.applied(name).await?.value.spec.budget;
        let held = self.held(name).await?;
        if declared.is_none() && held.is_empty() {
            return Ok(None);
        }
        let taken = budget::taken(&self.runs_of_month(name, now).await?, now);
        let seconds = match declared.per_month.seconds {
            Some(most) => format!("{} of {}", text::count(taken.total()), text::count(most)),
            None => text::count(taken.total()),
        };
        let mut told = vec![("month", Html::text(&now.month())), ("job-seconds taken", Html::text(&seconds))];
        if !declared.prices.are_unknown() {
            let cost = taken.money(&declared.prices);
            let cost = match declared.per_month.money {
                Some(most) => format!("{cost:.2} of {most:.2}"),
                None => format!("{cost:.2}"),
            };
            told.push(("money", Html::text(&cost)));
        }
        let rows: Vec<Vec<Cell>> = (held.iter())
            .map(|ask| {
                vec![
                    Cell::text(ask.by.to_string()),
                    Cell::whole(ask.at.date()),
                    Cell::text(ask.reason.clone()),
                    Cell::text(ask.waits.clone()),
                ]
            })
            .collect();
        let held = match rows.is_empty() {
            true => Html::note("No run is held."),
            false => some(&["asked by", "asked", "why", "held because"], &rows)
                .then(Html::note(&format!("An approver lets them with `millrace lift {name} --reason …`."))),
        };
        Ok(Some(facts(&told).then(held)))
    }
}
