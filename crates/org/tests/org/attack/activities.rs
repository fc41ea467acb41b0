//! Every activity also stands in `activitypointer`: the two never tell different people about it.

use crate::on_both_engines;

on_both_engines! {
    an_activity_that_follows_its_account_leaves_nothing_behind;
    pointers_are_written_by_their_activities_only;
    an_activity_and_its_pointer_share_their_shares;
}

mod bodies {
    use custodia_access::RightsMask;
    use custodia_org::{Error, Precondition};
    use custodia_schema::Value;

    use crate::world::World;

    pub async fn an_activity_that_follows_its_account_leaves_nothing_behind(world: World) {
        let seller = world.user("seller", world.seeded.unit, &["Basic User"]).await;
        let other = world.user("other", world.seeded.unit, &["Basic User"]).await;
        let account = world.create(&seller, "account", &[("name", Value::Text("A".into()))]).await;
        let task = [("subject", Value::Text("Secret".into())), ("regardingobjectid", world.lookup("account", account))];
        let task = world.create(&seller, "task", &task).await;
        let assigned = world.input("account", &[("ownerid", world.lookup("systemuser", other.user))]);
        let target = world.reference("account", account);
        world.org.update(&world.admin(), target, assigned, Precondition::Exists).await.unwrap();
        for table in ["task", "activitypointer"] {
            let named = [("activityid", Value::Guid(task))];
            assert!(world.select(&seller, table, &["subject"], &named).await.is_empty(), "{table}");
            assert_eq!(world.select(&other, table, &["subject"], &named).await.len(), 1, "{table}");
        }
    }

    pub async fn an_activity_and_its_pointer_share_their_shares(world: World) {
        let seller = world.user("seller", world.seeded.unit, &["Basic User"]).await;
        let other = world.user("other", world.seeded.unit, &["Basic User"]).await;
        for shared in ["task", "activitypointer"] {
            let task = world.create(&seller, "task", &[("subject", Value::Text("Call".into()))]).await;
            let target = world.reference(shared, task);
            world.org.grant_access(&seller, target.clone(), other.user, RightsMask(1)).await.unwrap();
            for table in ["task", "activitypointer"] {
                let named = [("activityid", Value::Guid(task))];
                assert_eq!(world.select(&other, table, &["subject"], &named).await.len(), 1, "{shared}, {table}");
            }
            world.org.revoke_access(&seller, target, other.user).await.unwrap();
            for table in ["task", "activitypointer"] {
                let named = [("activityid", Value::Guid(task))];
                assert!(world.select(&other, table, &["subject"], &named).await.is_empty(), "{shared}, {table}");
            }
        }
    }

    pub async fn pointers_are_written_by_their_activities_only(world: World) {
        let admin = world.admin();
        let subject = |text: &str| [("subject", Value::Text(text.into()))];
        let made = world.org.create(&admin, world.input("activitypointer", &subject("x"))).await;
        assert!(matches!(made, Err(Error::Invalid(_))), "{made:?}");
        let task = world.create(&admin, "task", &subject("Call")).await;
        let pointer = world.reference("activitypointer", task);
        let change = world.input("activitypointer", &subject("x"));
        let changed = world.org.update(&admin, pointer.clone(), change, Precondition::Exists).await;
        assert!(matches!(changed, Err(Error::Invalid(_))), "{changed:?}");
        let gone = world.org.delete(&admin, pointer, Precondition::None).await;
        assert!(matches!(gone, Err(Error::Invalid(_))), "{gone:?}");
        let change = world.input("task", &subject("Call again"));
        world.org.update(&admin, world.reference("task", task), change, Precondition::Exists).await.unwrap();
        let shown = world.select(&admin, "activitypointer", &["subject"], &[("activityid", Value::Guid(task))]).await;
        assert_eq!(shown, [[Value::Text("Call again".into())]]);
    }
}
