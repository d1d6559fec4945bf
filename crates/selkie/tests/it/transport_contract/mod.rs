//! One contract for every transport: written once in `cases`, run on each place of `places`.

mod cases;
pub mod devices;
mod folder;
mod places;
mod processes;
mod spy;

macro_rules! contract {
    ($($case:ident,)*) => {
        mod over_http {
            $(#[test] fn $case() { super::cases::$case(&mut super::places::HttpRelay::new()); })*
        }
        mod over_a_folder {
            $(#[test] fn $case() { super::cases::$case(&mut super::places::SharedFolder::new()); })*
        }
        mod in_memory {
            $(#[test] fn $case() { super::cases::$case(&mut super::places::Memory::new()); })*
        }
    };
}

contract! {
    an_empty_place_has_nothing_and_takes_the_roster,
    two_devices_converge,
    nothing_new_moves_no_segment_in_a_new_process_either,
    a_push_that_comes_twice_is_a_duplicate,
    a_gap_is_refused_and_then_filled,
    copied_stores_go_on_and_lose_nothing,
    a_device_that_was_away_gets_all_there_was,
    a_run_cut_off_at_any_message_loses_and_doubles_nothing,
    a_wiped_place_is_filled_again,
    a_place_restored_from_a_backup_gets_what_it_lost,
    a_new_member_is_known_after_one_run,
    a_long_history_comes_in_pages,
}
