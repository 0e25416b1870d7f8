//! The rules of who may do what: pure, so that their tests are tables.

use domain::row::{Applied, ApprovalState, Endpoint, Model};
use domain::{Actor, Digest};

/// Whether the policy names someone; an unknown actor fails closed.
pub(crate) fn is_approver(actor: &Actor, applied: &Applied) -> bool {
    let approvers = &applied.spec.approval.approvers;
    actor.name().is_some_and(|name| approvers.iter().any(|approver| approver == name))
}

/// Whether someone may let a pending version into production, or turn it down.
///
/// The actor must be named in the policy under which the pipeline is applied now; with four
/// eyes, it must be neither who asked for the run nor who applied the pipeline; and what is
/// approved must be exactly what was registered. An unknown actor fails closed.
pub fn may_approve(
    actor: &Actor,
    applied: &Applied,
    model: &Model,
    binding: Option<Digest>,
) -> Result<(), String> {
    let version = model.version;
    match &model.approval {
        ApprovalState::Pending => {}
        ApprovalState::Approved { by, .. } => {
            return Err(format!("version {version} was already approved by {by}"));
        }
        ApprovalState::Rejected { by, .. } => {
            return Err(format!("version {version} was already rejected by {by}"));
        }
    }
    let policy = &applied.spec.approval;
    if !is_approver(actor, applied) {
        return Err(not_an_approver(actor, applied));
    }
    if policy.four_eyes && (*actor == model.requested_by || *actor == applied.by) {
        let did = match *actor == model.requested_by {
            true => format!("asked for the run of version {version}"),
            false => "applied the pipeline".to_owned(),
        };
        return Err(format!("{actor} {did}; four eyes need another approver: {}", others(applied, model)));
    }
    if Digest::of_json(&model.lineage) != model.binding {
        return Err(format!("version {version} is not what was registered: its lineage was changed"));
    }
    match binding {
        Some(given) if given != model.binding => {
            Err(format!("version {version} is bound to {}, not to {}", model.binding.short(), given.short()))
        }
        _ => Ok(()),
    }
}

/// Why someone who is not named in the policy may not decide, and who may.
pub(crate) fn not_an_approver(actor: &Actor, applied: &Applied) -> String {
    let named = applied.spec.approval.approvers.join(", ");
    format!("{actor} is not an approver; the policy names {named}, and only they can decide or change it")
}

/// Who else may decide on a version, or what to do where nobody may.
fn others(applied: &Applied, model: &Model) -> String {
    let is_other = |name: &&String| {
        ![&model.requested_by, &applied.by].iter().any(|one| one.name() == Some(name.as_str()))
    };
    let named: Vec<&str> =
        applied.spec.approval.approvers.iter().filter(is_other).map(String::as_str).collect();
    match named.is_empty() {
        false => named.join(" or "),
        true => {
            "the policy names nobody else; apply it with another approver, or with four_eyes: false".into()
        }
    }
}

/// Whether someone may declare a pipeline anew: a change of who approves needs one who does.
pub fn may_reapply(actor: &Actor, before: &Applied, after: &domain::Pipeline) -> Result<(), String> {
    let policy = &before.spec.approval;
    if *policy == after.approval {
        return Ok(());
    }
    if is_approver(actor, before) {
        return Ok(());
    }
    Err(format!(
        "changing who approves needs one of the present approvers ({}); {actor} is not one: let one of them \
         apply it, or declare it under another name",
        policy.approvers.join(", ")
    ))
}

/// The version a rollback goes to: the one asked for, or the one before. `approval` tells how a
/// version stands.
pub fn rollback_target(
    endpoint: &Endpoint,
    asked: Option<u32>,
    approval: impl Fn(u32) -> Option<ApprovalState>,
) -> Result<u32, String> {
    let Some(version) = asked.or(endpoint.previous) else {
        return Err(format!("{} has served no version before {}", endpoint.name, endpoint.champion));
    };
    if version == endpoint.champion {
        return Err(format!("{} serves version {version} already", endpoint.name));
    }
    match approval(version) {
        None => Err(format!("there is no version {version}")),
        Some(ApprovalState::Approved { .. }) => Ok(version),
        Some(state) => {
            Err(format!("version {version} is {}, and only approved versions may serve", state.word()))
        }
    }
}
