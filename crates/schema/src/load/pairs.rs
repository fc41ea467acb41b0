//! Columns of a table that belong together: amounts with their companions, the state with its reasons.

use super::LoadError;
use super::draft::Draft;
use crate::{Column, ColumnId, ColumnKind, MoneyRole};

/// Tells each amount of its base-currency companion.
pub(super) fn tell_amounts(draft: &Draft<'_>, columns: &mut [Column]) -> Result<(), LoadError> {
    let pairs: Vec<(usize, ColumnId, ColumnId)> = columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| match column.kind {
            ColumnKind::Money { role: MoneyRole::Base { of }, .. } => Some((at, column.id, of)),
            _ => None,
        })
        .collect();
    for (at, base, of) in pairs {
        let amount = columns.iter_mut().find(|column| column.id == of);
        match amount.map(|amount| &mut amount.kind) {
            Some(ColumnKind::Money { role: MoneyRole::Amount { base: companion @ None }, .. }) => {
                *companion = Some(base)
            }
            _ => {
                let problem = "base_of must name an amount of money that has no other companion: correct the name";
                return Err(match draft.file.columns.get(at) {
                    Some(line) => draft.fault(line, problem),
                    None => draft.fault(&draft.file.name, problem),
                });
            }
        }
    }
    Ok(())
}

/// A table has a state and a status or neither, one of each, and they fit together.
pub(super) fn check_states(draft: &Draft<'_>, columns: &[Column]) -> Result<(), LoadError> {
    let mut state = None;
    let mut status = None;
    for (line, column) in draft.file.columns.iter().zip(columns) {
        let (seen, what) = match &column.kind {
            ColumnKind::State { .. } => (&mut state, "state"),
            ColumnKind::Status { .. } => (&mut status, "status"),
            _ => continue,
        };
        if seen.replace((line, column)).is_some() {
            return Err(draft.fault(line, format!("a second {what} column: a table has one")));
        }
    }
    let ((_, state), (line, status)) = match (state, status) {
        (None, None) => return Ok(()),
        (Some((line, _)), None) => return Err(draft.fault(line, "a state column without a status column: add it")),
        (None, Some((line, _))) => return Err(draft.fault(line, "a status column without a state column: add it")),
        (Some(state), Some(status)) => (state, status),
    };
    if let (ColumnKind::State { options: states }, ColumnKind::Status { options: reasons }) =
        (&state.kind, &status.kind)
    {
        let unknown = reasons.iter().find(|(_, of)| !states.iter().any(|state| state.choice.value == *of));
        if let Some((reason, of)) = unknown {
            return Err(draft.fault(
                line,
                format!("status reason {} belongs to state {of}, which does not exist: correct it", reason.value),
            ));
        }
    }
    Ok(())
}
