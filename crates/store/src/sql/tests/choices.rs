//! Columns of several choices, of which no standard table has one.

use custodia_query::{Field, Filter, Order, Path, Query};
use custodia_schema::{ColumnId, Schema, Table, Value};

use super::super::{Context, Plan, create_table, insert, select};
use super::engines::engines;
use super::{Only, TestPolicy, id};

const COLORS: &str = r#"
name = "new_color"
schema = "new_Color"
set = "new_colors"
label = "Color"
collection_label = "Colors"
code = 10100
ownership = "organization"
primary_id = "new_colorid"
primary_name = "new_name"

columns = [
    { id = 1, name = "new_colorid", schema = "new_ColorId", label = "Color", kind = "guid" },
    { id = 2, name = "new_name", schema = "new_Name", label = "Name", kind = "text", max_length = 100 },
    { id = 3, name = "new_shades", schema = "new_Shades", label = "Shades", kind = "choices", options = [{ value = 1, label = "Light" }, { value = 11, label = "Dark" }, { value = 111, label = "Black" }] },
]
"#;

fn schema() -> Schema {
    let defaults = include_str!("../../../../schema/standard/defaults.toml");
    custodia_schema::load(&[("defaults.toml", defaults), ("new_color.toml", COLORS)])
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn one_of_several_options_is_found_and_no_part_of_another() {
    let schema = schema();
    let colors = schema.table_named("new_color").unwrap();
    let shades = colors.column("new_shades").unwrap().id;
    let rows: [&[i32]; 5] = [&[1], &[11], &[1, 111], &[11, 111], &[]];
    for database in engines(&[]) {
        for sql in create_table(database.dialect(), &schema, colors) {
            database.run(&sql);
        }
        for (number, options) in rows.iter().enumerate() {
            let value = if options.is_empty() { Value::Null } else { Value::Choices(options.to_vec()) };
            let values = [(colors.primary_id, Value::Guid(id(number as u128))), (shades, value)];
            database.execute(&insert(database.dialect(), colors, &values).unwrap());
        }
        let context = Context { dialect: database.dialect(), schema: &schema, tables: &Only(|_| true) };
        let found = |policy: &TestPolicy, filter: Filter| -> Vec<u128> {
            let order = vec![Order::by_value(Path::own(colors.primary_id), false)];
            let query = Query { filter, order, ..Query::of(colors, 50) };
            let statement = select(&context, &query, policy, Plan::Ordered).unwrap();
            database
                .rows(&statement)
                .iter()
                .map(|row| u128::from_be_bytes(*row[0].guid().unwrap().as_bytes()))
                .collect()
        };
        let any = |options: &[i32]| Filter::ContainsAny { path: Path::own(shades), options: options.to_vec() };
        let not = |filter| Filter::Not(Box::new(filter));
        let open = TestPolicy::open();
        assert_eq!(found(&open, any(&[1])), [0, 2]);
        assert_eq!(found(&open, any(&[11])), [1, 3]);
        assert_eq!(found(&open, any(&[111, 1])), [0, 2, 3]);
        assert_eq!(found(&open, any(&[7])), []);
        assert_eq!(found(&open, any(&[])), []);
        assert_eq!(found(&open, not(any(&[1]))), [1, 3, 4]);
        assert_eq!(found(&open, not(any(&[]))), [0, 1, 2, 3, 4]);
        let hidden = hiding(colors, shades);
        assert_eq!(found(&hidden, any(&[1, 11, 111])), []);
        assert_eq!(found(&hidden, not(any(&[1]))), [0, 1, 2, 3, 4]);

        let name = colors.column("new_name").unwrap().id;
        let strange = Filter::ContainsAny { path: Path::own(name), options: vec![1] };
        let query = Query { filter: strange, fields: vec![Field::Column(colors.primary_id)], ..Query::of(colors, 50) };
        let error = select(&context, &query, &open, Plan::Ordered).unwrap_err();
        assert_eq!(error.to_string(), "new_color.new_name cannot be compared with or set to a list of options");
    }
}

fn hiding(table: &Table, column: ColumnId) -> TestPolicy {
    let mut policy = TestPolicy::open();
    policy.hidden.insert((table.id, column));
    policy
}
