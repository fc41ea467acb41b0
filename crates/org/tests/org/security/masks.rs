//! Masked columns: what of them shows in lists and of one record, with and without the wish for clear text, and that to all but
//! their showing they are null wherever they are not read in clear.

use custodia_access::Unmasking;
use custodia_oracle::{Asker, MaskedColumn, Record, TextSight, Unmasked, masked_text, text_sight};
use custodia_query::{Aggregation, Comparison, Field, Filter, Group, GroupBy, Measure, Order, Path};
use custodia_schema::Value;

use crate::security::load::text;
use crate::security::reader::Part;
use crate::security::reads::Comparing;

impl Comparing<'_, '_> {
    /// One masked column, in a few of the ways in which it can be asked for.
    pub(super) async fn masked_texts(&mut self, asker: Asker, masked: &MaskedColumn, turn: usize) {
        let Some(refused) = self.refuses_all(asker, masked.table) else { return };
        let asked = if turn.is_multiple_of(3) { Unmasked::Nothing } else { Unmasked::AllRecords };
        let sight = self.sight(asker, masked, asked);
        self.reader.unmasking = unmasking_of(asked);
        let readable: Vec<Record> =
            self.records_of(masked.table).into_iter().filter(|record| self.reads(asker, record)).cloned().collect();
        let question = Masked { asker, masked, turn, refused, sight, readable };
        self.shown(&question).await;
        match turn % 4 {
            0 | 1 => self.filtered(&question).await,
            2 => self.ordered(&question).await,
            _ => self.grouped(&question).await,
        }
        self.reader.unmasking = Unmasking::Nothing;
        if !question.refused {
            self.alone(&question, asked).await;
        }
    }

    /// The least that anybody involved sees.
    fn sight(&mut self, asker: Asker, masked: &MaskedColumn, asked: Unmasked) -> TextSight {
        let of = |user| text_sight(self.world, user, masked.table, masked.column, asked);
        let sight = asker.caller.map_or(TextSight::Clear, of).min(of(asker.user));
        self.coverage.count_sight(sight);
        sight
    }

    async fn shown(&mut self, question: &Masked<'_>) {
        let Masked { asker, masked, sight, .. } = *question;
        let stage = self.reader.stage;
        let mut query = stage.list(self.world, masked.table);
        query.fields.push(Field::Column(stage.column(masked.table, masked.column)));
        query.order = vec![by(stage.column(masked.table, masked.table.name_column().unwrap()), false)];
        query.count = true;
        let mut rows: Vec<_> = question.readable.iter().map(|record| (&record.name, record)).collect();
        rows.sort_by_key(|(name, _)| *name);
        let shown = |record: &Record| vec![Value::Guid(record.id), question.shown(record, sight)];
        let expected = rows.into_iter().map(|(_, record)| shown(record)).collect();
        let actual = self.reader.rows(asker, Part::Shows, &query).await;
        self.check(asker, &question.about("shown"), question.unless_refused(expected), &actual);
    }

    async fn filtered(&mut self, question: &Masked<'_>) {
        let Masked { asker, masked, turn, .. } = *question;
        let stage = self.reader.stage;
        let records = self.records_of(masked.table);
        let wanted = text_of(records[turn % records.len()], masked.column).to_owned();
        let path = Path::own(stage.column(masked.table, masked.column));
        let equal =
            Filter::Compare { path: path.clone(), operator: Comparison::Equal, value: Value::Text(wanted.clone()) };
        // What is seen behind a mask is not found either.
        let behind = Filter::Compare {
            path: path.clone(),
            operator: Comparison::Equal,
            value: Value::Text(masked_text(masked, &wanted)),
        };
        let (filter, keeps): (Filter, Keeps) = match (turn / 4) % 4 {
            0 => (equal, |clear, wanted, _| clear.is_some_and(|clear| clear.eq_ignore_ascii_case(wanted))),
            1 => (behind, |clear, _, behind| clear.is_some_and(|clear| clear.eq_ignore_ascii_case(behind))),
            2 => (Filter::IsNull(path), |clear, _, _| clear.is_none()),
            _ => (Filter::Not(Box::new(Filter::IsNull(path))), |clear, _, _| clear.is_some()),
        };
        let behind = masked_text(masked, &wanted);
        let mut query = stage.list(self.world, masked.table);
        query.filter = Filter::And(vec![query.filter, filter]);
        query.order = vec![by(stage.column(masked.table, masked.table.name_column().unwrap()), false)];
        query.count = true;
        let kept = question.readable.iter().filter(|record| keeps(question.clear(record), &wanted, &behind));
        let mut kept: Vec<_> = kept.map(|record| (record.name.clone(), record.id)).collect();
        kept.sort();
        let expected = kept.into_iter().map(|(_, id)| vec![Value::Guid(id)]).collect();
        let actual = self.reader.rows(asker, Part::Filters, &query).await;
        self.check(asker, &question.about("filtered by"), question.unless_refused(expected), &actual);
    }

    async fn ordered(&mut self, question: &Masked<'_>) {
        let Masked { asker, masked, turn, sight, .. } = *question;
        let stage = self.reader.stage;
        let descending = (turn / 4).is_multiple_of(2);
        let mut query = stage.list(self.world, masked.table);
        let name = stage.column(masked.table, masked.table.name_column().unwrap());
        query.order = vec![by(stage.column(masked.table, masked.column), descending), by(name, false)];
        let key = |record: &Record| question.clear(record).map(str::to_lowercase);
        let mut sorted: Vec<&Record> = question.readable.iter().collect();
        sorted.sort_by(|a, b| {
            let first = if descending { key(b).cmp(&key(a)) } else { key(a).cmp(&key(b)) };
            first.then_with(|| a.name.cmp(&b.name))
        });
        let expected = sorted.into_iter().map(|record| vec![Value::Guid(record.id)]).collect();
        let mut actual = self.reader.rows(asker, Part::Sorts, &query).await;
        if let Ok((rows, _)) = &mut actual {
            for row in rows {
                let keys = row.split_off(1);
                if sight != TextSight::Clear && keys.first() != Some(&Value::Null) {
                    self.differ(asker, &question.about("the sort key of"), Value::Null, keys);
                }
            }
        }
        self.check(asker, &question.about("ordered by"), question.unless_refused(expected), &actual);
    }

    async fn grouped(&mut self, question: &Masked<'_>) {
        let Masked { asker, masked, .. } = *question;
        let stage = self.reader.stage;
        let path = Path::own(stage.column(masked.table, masked.column));
        // Clear text is given of records. What groups of them come to is none, whoever asks for it.
        let rows = i64::try_from(question.readable.len()).unwrap();
        let expected = if rows == 0 { Vec::new() } else { vec![vec![Value::Null, Value::BigInt(rows)]] };
        let aggregation = Aggregation {
            rows: stage.list(self.world, masked.table),
            groups: vec![Group { path, by: GroupBy::Value }],
            measures: vec![Measure::Count],
            order: Vec::new(),
            skip: 0,
            page_size: 1_000,
            rows_max: 50_000,
        };
        let actual = self.reader.groups(asker, Part::Shows, &aggregation).await;
        let same = match &actual {
            Ok(groups) => !question.refused && *groups == expected,
            Err(_) => question.refused,
        };
        if !same {
            self.differ(asker, &question.about("grouped by"), expected, actual);
        }
    }

    /// One record by its id, which takes less to be seen in clear.
    async fn alone(&mut self, question: &Masked<'_>, asked: Unmasked) {
        let Masked { asker, masked, turn, .. } = *question;
        let asked = if asked == Unmasked::Nothing { asked } else { Unmasked::OneRecord };
        let sight = self.sight(asker, masked, asked);
        let records: Vec<Record> = self.records_of(masked.table).into_iter().cloned().collect();
        let record = &records[turn % records.len()];
        let stage = self.reader.stage;
        let mut query = stage.query(masked.table, Filter::True);
        query.fields.push(Field::Column(stage.column(masked.table, masked.column)));
        let expected = self.reads(asker, record).then(|| vec![Value::Guid(record.id), question.shown(record, sight)]);
        let expected: Vec<Vec<Value>> = expected.into_iter().collect();
        self.reader.unmasking = unmasking_of(asked);
        let actual = self.reader.record(asker, stage.table(masked.table), query, record.id).await;
        self.reader.unmasking = Unmasking::Nothing;
        let about = format!("{}.{} of one record, asked for {asked:?}", masked.table.name(), masked.column);
        if actual.as_ref().ok() != Some(&expected) {
            self.differ(asker, &about, expected, actual);
        }
    }
}

/// Whether a filter keeps a record: its clear text, the one wanted, and how that looks behind its mask.
type Keeps = fn(Option<&str>, &str, &str) -> bool;

/// A question about a masked column.
struct Masked<'q> {
    asker: Asker,
    masked: &'q MaskedColumn,
    turn: usize,
    refused: bool,
    sight: TextSight,
    /// The rows that the asker reads.
    readable: Vec<Record>,
}

impl Masked<'_> {
    /// What all but the showing of the column knows of it.
    fn clear<'r>(&self, record: &'r Record) -> Option<&'r str> {
        (self.sight == TextSight::Clear).then(|| text_of(record, self.masked.column))
    }

    fn shown(&self, record: &Record, sight: TextSight) -> Value {
        let stored = text_of(record, self.masked.column);
        match sight {
            TextSight::Hidden => Value::Null,
            TextSight::Masked => Value::Text(masked_text(self.masked, stored)),
            TextSight::Clear => text(stored),
        }
    }

    fn unless_refused(&self, rows: Vec<Vec<Value>>) -> Option<Vec<Vec<Value>>> {
        (!self.refused).then_some(rows)
    }

    fn about(&self, how: &str) -> String {
        let Self { masked, sight, turn, .. } = self;
        format!("{how} {}.{} ({sight:?}, turn {turn})", masked.table.name(), masked.column)
    }
}

fn text_of<'r>(record: &'r Record, column: &str) -> &'r str {
    record.texts.iter().find(|(of, _)| *of == column).map(|(_, text)| text.as_str()).unwrap()
}

fn unmasking_of(asked: Unmasked) -> Unmasking {
    match asked {
        Unmasked::Nothing => Unmasking::Nothing,
        Unmasked::OneRecord => Unmasking::OneRecord,
        Unmasked::AllRecords => Unmasking::AllRecords,
    }
}

fn by(column: custodia_schema::ColumnId, descending: bool) -> Order {
    Order::by_value(Path::own(column), descending)
}
