"""reiser4's calls through its plugin tables, with the plugins that a mount uses.

Regular files are the unix file plugin's (extents and tails), directories the hashed one's with
compound entries (cde), keys are hashed by r5, nodes are node40, jnodes formatted or not (file.c,
item.c, node.c, dir.c and jnode.c under fs/reiser4, each state of them): for each group of callers,
what their pointers lead to. Another build of a state may have inlined a function.
"""

from collections.abc import Iterator

from blockstack.base.calls import EdgeText

#: states of its history, and the letter that stands for each in the rows
_STATES = {"2005-08": "a", "2005-10": "b", "2006-08": "c"}
#: states, callers, and what they call through a pointer; what is indented goes on a row
_CALLS = """\
b add_entry_common: add_entry_cde
a add_entry_hashed: add_entry_cde
ab add_tree_root: create_item_node40 num_of_items_node40
ab allocate_znode_update: update_internal
c allocate_znode_update: reiser4_update_internal
ab append_and_or_overwrite: have_formatting_always have_formatting_default have_formatting_never
    write_extent write_tail
c batch_write_unix_file: have_formatting_always have_formatting_default have_formatting_never
    reiser4_write_extent reiser4_write_tail
b bind_common_dir: attach_common
a bind_dir: attach_common
bc build_de_id: build_entry_key_hashed build_entry_key_seekable
a build_de_id find_entry: build_entry_key_common build_entry_key_stable_entry
a build_entry_key_common: fibre_dot_o fibre_ext_1 fibre_ext_3 fibre_trivial hash_r5
bc build_entry_key_seekable: hash_r5
a build_entry_key_stable_entry: hash_r5
abc call_kill_hooks: kill_hook_extent kill_hook_internal kill_hook_tail
abc can_paste convert_node coord_is_existing_unit coord_next_unit coord_normalize coord_prev_unit
    coord_set_to_left coord_set_to_right flush_current_atom prepare_for_compact:
    num_of_items_node40
ab carry: carry_cut carry_delete carry_extent carry_insert carry_insert_flow carry_paste
    carry_update num_of_items_node40 prepare_removal_node40
abc carry_cut: cut_node40 kill_node40
abc carry_delete: item_by_coord_node40 kill_node40 num_of_items_node40
abc carry_insert: create_item_node40
abc carry_insert_flow: change_item_size_node40 create_item_node40 nr_units_cde nr_units_extent
    nr_units_single_unit nr_units_tail num_of_items_node40 paste_cde paste_extent paste_no_paste
    paste_tail shift_node40
abc carry_paste: change_item_size_node40 paste_cde paste_extent paste_no_paste paste_tail
    update_item_key_node40
abc carry_update: update_item_key_node40
abc cbk_node_lookup: down_link_internal lookup_node40
abc check_item: extract_name_cde
abc check_tree_pointer child_znode renew_sibling_link: down_link_internal
bc complete_entry_key: fibre_dot_o fibre_ext_1 fibre_ext_3 fibre_trivial hash_r5
abc coord_init_last_unit coord_is_after_rightmost coord_is_between_items go_dir_el: nr_units_cde
    nr_units_extent nr_units_single_unit nr_units_tail num_of_items_node40
abc coord_num_units: nr_units_cde nr_units_extent nr_units_single_unit nr_units_tail
abc copy_units: copy_units_cde copy_units_extent copy_units_tail update_item_key_node40
abc copy_units_extent copy_units_tail: item_by_coord_node40 update_item_key_node40
a create_child_common: add_entry_cde add_entry_hashed adjust_to_parent_common adjust_to_parent_dir
    create_common delete_directory_common delete_object detach_dir detach_hashed init_hashed
    is_name_acceptable reiser4_create rem_entry_cde rem_entry_hashed set_plug_in_inode_common
abc create_item_node40: create_hook_extent create_hook_internal init_cde paste_cde paste_extent
    paste_no_paste paste_tail
b create_vfs_object: add_entry_cde add_entry_common adjust_to_parent_common
    adjust_to_parent_common_dir create_common create_object_common delete_directory_common
    delete_object_common delete_object_unix_file detach_common detach_common_dir extract_key_cde
    init_common is_name_acceptable_common rem_entry_cde rem_entry_common set_plug_in_inode_common
c create_vfs_object: add_entry_cde adjust_to_parent_common adjust_to_parent_common_dir
    delete_object_unix_file extract_key_cde is_name_acceptable_common reiser4_add_entry_common
    reiser4_create_common reiser4_create_object_common reiser4_delete_dir_common
    reiser4_delete_object_common reiser4_detach_common reiser4_detach_common_dir
    reiser4_dir_init_common reiser4_rem_entry_common rem_entry_cde set_plug_in_inode_common
a cut_file_items: key_by_inode_and_offset_common key_by_inode_unix_file
bc cut_file_items: key_by_inode_and_offset_common
abc cut_tree_worker_common find_child_ptr: lookup_node40
abc cut_units: cut_units_cde cut_units_extent cut_units_tail
b delete_directory_common: done_common
a delete_directory_common reiser4_fill_super: done_hashed
b detach_common_dir: detach_common
a detach_dir: detach_hashed
abc dir_go_to: build_readdir_key_common
bc dir_readdir_init: owns_item_common owns_item_common_dir owns_item_unix_file
a dir_readdir_init readdir_next: owns_item_common owns_item_hashed owns_item_unix_file
bc do_prepare_write: readpage_unix_file
b done_common: extract_key_cde rem_entry_common
a done_hashed estimate_unlink_hashed: rem_entry_cde rem_entry_hashed
bc entd: writepages_fake writepages_unix_file
ab extent2tail: key_by_inode_and_offset_common write_tail
c extent2tail open_unix_file put_hint_cluster: key_by_inode_and_offset_common
bc fill_super: init_format_format40
b find_entry: build_entry_key_hashed build_entry_key_seekable
ab find_file_size: append_key_extent append_key_tail
ab find_or_create_extent: capture_extent
abc find_start: append_key_extent append_key_tail key_by_inode_and_offset_common
ab finish_conversion: key_by_inode_and_offset_common
b get_jnode_by_wbq: writepages_fake writepages_unix_file
ab how_to_write: append_key_extent append_key_tail init_coord_extension_extent
    init_coord_extension_tail item_by_coord_node40 lookup_node40 max_key_inside_cde
    max_key_inside_extent max_key_inside_single_key max_key_inside_tail num_of_items_node40
ab inflate_cluster: reiser4_adler32
b init_common: add_entry_cde add_entry_common
a init_hashed: add_entry_cde add_entry_hashed
abc init_znode: init_node40
abc insert_by_coord: create_item_node40 fast_insert_node40
abc insert_into_item: agree_to_fast_op change_item_size_node40 fast_paste_node40 paste_cde
    paste_extent paste_no_paste paste_tail
abc insert_paste_common: lookup_node40 nr_units_cde nr_units_extent nr_units_single_unit
    nr_units_tail num_of_items_node40 shift_node40
a invoke_create_method: create_child_common
abc item_body_by_coord_hard: item_by_coord_node40
abc item_can_contain_key: can_contain_key_cde can_contain_key_extent can_contain_key_tail
    max_key_inside_cde max_key_inside_extent max_key_inside_single_key max_key_inside_tail
abc item_key_by_coord: key_at_node40
abc item_length_by_coord: length_by_coord_node40
abc item_utmost_child: utmost_child_extent utmost_child_internal
abc item_utmost_child_real_block: utmost_child_real_block_extent utmost_child_real_block_internal
ab iterate_tree: num_of_items_node40
ab jclone: clone_formatted clone_unformatted
abc jinit_new: init_noinit init_znode
abc jload_gfp zparse: parse_node40 parse_noparse parse_znode
a jnode_build_key: key_by_inode_and_offset_common key_by_inode_unix_file key_by_offset_extent
bc jnode_build_key: key_by_inode_and_offset_common key_by_offset_extent
a jnode_flush: num_of_items_node40
abc jnode_get_mapping: mapping_bitmap mapping_jnode mapping_znode
abc kill_node_content: append_key_extent append_key_tail num_of_items_node40
ab kill_tree_root: init_znode num_of_items_node40
abc kill_units: kill_units_cde kill_units_extent kill_units_tail
b lookup_name: extract_key_cde is_name_acceptable_common
a lookup_name_hashed: extract_key_cde
abc lookup_node40: item_by_coord_node40 lookup_cde lookup_extent lookup_internal lookup_tail
    max_key_inside_cde max_key_inside_extent max_key_inside_single_key max_key_inside_tail
    num_of_items_node40
a lookup_table: try_by_label
abc max_unit_key_by_coord: max_unit_key_extent unit_key_cde unit_key_tail
abc obtain_item_plugin: plugin_by_coord_node40
abc prepare_write_common: readpage_unix_file
abc process_safelinks: safelink_common
ab read_unix_file: init_coord_extension_extent init_coord_extension_tail item_by_coord_node40
    read_extent read_tail
c read_unix_file: init_coord_extension_extent init_coord_extension_tail item_by_coord_node40
    reiser4_read_extent reiser4_read_tail
a readdir_common: extract_key_cde extract_name_cde owns_item_common owns_item_hashed
    owns_item_unix_file
b readdir_common: extract_key_cde extract_name_cde owns_item_common owns_item_common_dir
    owns_item_unix_file
a readpage_tail: item_by_coord_node40 owns_item_common owns_item_hashed owns_item_unix_file
bc readpage_tail: item_by_coord_node40 owns_item_common owns_item_common_dir owns_item_unix_file
ab readpage_unix_file: init_coord_extension_extent init_coord_extension_tail item_by_coord_node40
    readpage_extent readpage_tail
c readpage_unix_file: init_coord_extension_extent init_coord_extension_tail item_by_coord_node40
    readpage_tail reiser4_readpage_extent
c readpage_unix_file_nolock: readpage_tail reiser4_readpage_extent
ab readpages_crc: readpages_extent reiser4_readpages
c reiser4_add_entry_common: add_entry_cde
ab reiser4_add_nlink: add_link_common can_add_link_common write_sd_by_inode_common
c reiser4_add_nlink: can_add_link_common reiser4_add_link_common write_sd_by_inode_common
c reiser4_add_tree_root: create_item_node40 num_of_items_node40
c reiser4_bind_common_dir: reiser4_attach_common
c reiser4_carry: carry_cut carry_delete carry_extent carry_insert carry_insert_flow carry_paste
    carry_update num_of_items_node40 prepare_removal_node40
a reiser4_commit_write: capturepage_unix_file
a reiser4_decode_fh: done_hashed read_extent read_tail read_unix_file reiser4_read
b reiser4_decode_fh: done_common read_extent read_tail read_unix_file
c reiser4_decode_fh: read_unix_file reiser4_dir_done_common reiser4_read_extent reiser4_read_tail
ab reiser4_del_nlink: rem_link_common rem_link_common_dir write_sd_by_inode_common
c reiser4_del_nlink: reiser4_rem_link_common rem_link_common_dir write_sd_by_inode_common
c reiser4_delete_dir_common: reiser4_dir_done_common
a reiser4_delete_inode: delete_directory_common delete_object
b reiser4_delete_inode: delete_directory_common delete_object_common delete_object_unix_file
c reiser4_delete_inode: delete_object_unix_file reiser4_delete_dir_common
    reiser4_delete_object_common
c reiser4_detach_common_dir: reiser4_detach_common
c reiser4_dir_done_common: extract_key_cde reiser4_rem_entry_common
c reiser4_dir_init_common: add_entry_cde reiser4_add_entry_common
a reiser4_encode_fh: reiser4_write write_extent write_tail write_unix_file
b reiser4_encode_fh: write_extent write_tail write_unix_file
c reiser4_encode_fh: reiser4_write_extent reiser4_write_tail
c reiser4_find_entry: build_entry_key_hashed build_entry_key_seekable
a reiser4_fsync: sync_unix_file
abc reiser4_iget: check_open_format40 init_inode_static_sd item_by_coord_node40
c reiser4_inflate_cluster: align_stream_common reiser4_adler32
c reiser4_iterate_tree: num_of_items_node40
c reiser4_kill_tree_root: init_znode num_of_items_node40
a reiser4_lookup: bind_common bind_dir lookup_hashed
c reiser4_lookup_name: extract_key_cde is_name_acceptable_common
a reiser4_prepare_write: prepare_write_unix_file
a reiser4_put_inode: pre_delete_unix_file
a reiser4_read: read_unix_file
a reiser4_readdir: readdir_common
c reiser4_readdir_common: extract_key_cde extract_name_cde owns_item_common owns_item_common_dir
    owns_item_unix_file
a reiser4_readpage: readpage_unix_file
ab reiser4_readpages: readpages_extent
c reiser4_readpages: reiser4_readpages_extent
c reiser4_rem_entry_common: extract_key_cde rem_entry_cde
a reiser4_rename: rename_hashed
c reiser4_rename_common: add_entry_cde build_entry_key_hashed build_entry_key_seekable
    can_add_link_common can_rem_link_common_dir extract_key_cde reiser4_add_entry_common
    reiser4_detach_common reiser4_detach_common_dir reiser4_rem_entry_common
c reiser4_resize_item: shrink_item_node40
a reiser4_truncate: truncate_unix_file
a reiser4_write: write_unix_file
abc reiser4_write_logs: log_super_format40
a reiser4_writepages: capture_unix_file
abc release_unix_file: have_formatting_always have_formatting_default have_formatting_never
b rem_entry_common: extract_key_cde rem_entry_cde
a rem_entry_hashed: extract_key_cde rem_entry_cde
b rename_common: add_entry_cde add_entry_common build_entry_key_hashed build_entry_key_seekable
    can_add_link_common can_rem_link_common_dir detach_common detach_common_dir extract_key_cde
    rem_entry_common
a rename_hashed: add_entry_cde add_entry_hashed build_entry_key_common
    build_entry_key_stable_entry can_add_link_common can_rem_dir detach_dir detach_hashed
    rem_entry_cde rem_entry_hashed
abc replace_name: update_key_cde
ab resize_item: shrink_item_node40
ab scan_unformatted: scan_extent utmost_child_extent utmost_child_internal
c scan_unformatted: reiser4_scan_extent utmost_child_extent utmost_child_internal
abc shift_node40: can_shift_cde can_shift_extent can_shift_tail init_node40 item_overhead_node40
    nr_units_cde nr_units_extent nr_units_single_unit nr_units_tail num_of_items_node40
    shift_hook_internal
abc space_needed what_can_fit_into_node: item_overhead_node40
abc squeeze_right_non_twig squeeze_right_twig: num_of_items_node40 shift_node40
abc tail2extent: item_by_coord_node40 key_by_inode_and_offset_common
a traverse_tree: item_by_coord_node40 num_of_items_node40 owns_item_common owns_item_hashed
    owns_item_unix_file
bc traverse_tree: item_by_coord_node40 num_of_items_node40 owns_item_common owns_item_common_dir
    owns_item_unix_file
ab tree_walk: down_link_internal
bc truncate_file_body: have_formatting_always have_formatting_default have_formatting_never
abc unit_key_by_coord: unit_key_cde unit_key_extent unit_key_tail
a unlink_file: unlink_common
c validate_extended_coord: init_coord_extension_extent init_coord_extension_tail
    item_by_coord_node40
abc write_sd_by_inode_common: item_by_coord_node40 max_item_size_node40 save_crypto_sd
    save_flags_sd save_large_times_sd save_len_crypto_sd save_len_flags_sd save_len_large_times_sd
    save_len_lw_sd save_len_plugin_sd save_len_static_sd save_len_unix_sd save_lw_sd
    save_plugin_sd save_static_sd save_unix_sd
ab write_unix_file: write_extent write_tail
abc znode_free_space: free_space_node40
"""


#: what cryptcompress adds, which keeps files in clusters of compressed pages (ctails): its file and
#: item operations; lzo1 is the plugin of a mount's choice, which needs no library of the kernel's
_CRYPTCOMPRESS = """\
abc convert_node: convert_ctail
abc scan_unformatted: scan_ctail
abc cut_tree_object reiser4_cut_tree_object: cut_tree_worker_cryptcompress
ab ctail_read_cluster: find_cluster lzo1_alloc
c ctail_read_disk_cluster: lzo1_alloc
abc deflate_overrun grab_tfm_stream: lzo1_overrun
ab deflate_cluster: lzo1_alloc lzo1_compress lzo1_min_size_deflate lzo1_overrun reiser4_adler32
    should_deflate_test
c reiser4_deflate_cluster: lzo1_alloc lzo1_compress lzo1_min_size_deflate lzo1_overrun
    reiser4_adler32 should_deflate_common should_deflate_none should_deflate_test
ab inflate_cluster: lzo1_alloc lzo1_decompress reiser4_adler32
c reiser4_inflate_cluster: lzo1_alloc lzo1_decompress reiser4_adler32
abc convert_ctail cut_or_kill_ctail_units copy_units_ctail: item_by_coord_node40 nr_units_ctail
    update_item_key_node40
abc check_cryptcompress find_cluster find_disk_cluster find_real_disk_cluster set_hint_cluster
    put_hint_cluster set_cluster_by_page writepages_cryptcompress capture_cryptcompress
    cryptcompress_truncate write_cryptcompress get_block_cryptcompress readpage_cryptcompress:
    flow_by_inode_cryptcompress item_by_coord_node40 key_by_inode_cryptcompress
abc readpage_cryptcompress: readpage_ctail
abc readpages_crc readpages_cryptcompress reiser4_readpages: readpages_crc readpages_ctail
abc reiser4_delete_inode: delete_cryptcompress
a create_child_common: create_cryptcompress
bc create_vfs_object: create_cryptcompress
a reiser4_writepages: capture_cryptcompress
a reiser4_readpage: readpage_cryptcompress
a reiser4_fsync: sync_common
"""


def plugin_edges(state: str) -> Iterator[EdgeText]:
    """Every such call of a state, which is its functions' label in the frame tables, too."""
    for caller, callee in _calls(state, _CALLS):
        yield f"{caller}@{state}?", f"{callee}@{state}?"


def cryptcompress_edges(state: str) -> Iterator[EdgeText]:
    """What cryptcompress adds to a state's calls: ctails wherever an item may be a tail, too."""
    pairs = list(_calls(state, _CRYPTCOMPRESS))
    for caller, callee in _calls(state, _CALLS):
        if callee.endswith("_tail"):
            pairs.append((caller, callee.removesuffix("tail") + "ctail"))
        elif callee == "key_by_inode_and_offset_common":
            pairs.append((caller, "key_by_inode_cryptcompress"))
    for caller, callee in dict.fromkeys(pairs):
        yield f"{caller}@{state}?", f"{callee}@{state}?"


def _calls(state: str, rows: str) -> Iterator[EdgeText]:
    """Callers and callees of a table's rows for a state."""
    for row in rows.replace("\n    ", " ").splitlines():
        states, _, calls = row.partition(" ")
        callers, _, callees = calls.partition(": ")
        if _STATES[state] in states:
            for caller in callers.split():
                for callee in callees.split():
                    yield caller, callee
