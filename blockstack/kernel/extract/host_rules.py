"""What no module's file tells of SCSI host drivers' calls through pointers, read in their source.

Linux 6.1 and 6.12; a regular expression of the callees, or why the call is none of a read, a write
or a flush.
"""

from collections.abc import Mapping

from blockstack.base.calls import CutText

#: struct Scsi_Host in bytes, by generation: shost_priv() is behind it (mpt3sas, hpsa)
PRIVATE: Mapping[str, int] = {"6.1": 2144, "6.12": 2168}
#: modules that a driver calls through pointers and does not need to be loaded
LOADED: Mapping[str, tuple[str, ...]] = {
    "usbcore": ("xhci_hcd", "ehci_hcd"),
    "firewire_core": ("firewire_ohci",),
}
#: module whose calls go through objects of one structure → an object of it, with its module
SAME_OBJECTS: Mapping[str, tuple[str, str]] = {
    "libata": ("libahci", "ahci_ops"),
    "libahci": ("libahci", "ahci_ops"),
    "libsas": ("mvsas", "mvs_transport_ops"),
    "megaraid_sas": ("megaraid_sas", "megasas_instance_template_fusion"),
    "mvsas": ("mvsas", "mvs_64xx_dispatch"),
    "pm80xx": ("pm80xx", "pm8001_8001_dispatch"),
    "qla2xxx": ("qla2xxx", "qla24xx_isp_ops"),
    "qla4xxx": ("qla4xxx", "qla4xxx_isp_ops"),
}
#: caller → its callees; empty: none, with the reason beside it
RESOLVED: Mapping[str, str] = {
    # drivers/ata/libata-scsi.c ata_get_xlat_func, for reads, writes, flushes, discards
    "__ata_scsi_queuecmd": r"ata_scsi_(rw|flush|write_same|verify)_xlat",
    "ata_scsi_translate": r"ata_scsi_(rw|flush|write_same|verify)_xlat",
    "atapi_check_dma": "",  # only for packet commands
    "ata_sff_exec_command": "",  # ->sff_check_altstatus: reads a register
    "ata_sff_dev_select": "",
    "ata_sff_pause": "",
    "ata_sff_sync": "",
    "_aac_probe_container": r"_?aac_probe_container\w*",
    "aac_fib_send": r"aac_\w*deliver\w*|aac_\w*check_health",
    "aac_scsi_cmd": r"aac_(read|write)\w*|aac_scsi\w*",
    "ahd_dmamap_load": r"ahd_dmamap_cb",
    "ahc_dmamap_load": r"ahc_dmamap_cb",
    "beiscsi_task_xmit": r"beiscsi_iotask\w*",
    "iscsi_prep_scsi_cmd_pdu": r"\w*(alloc_pdu|task_init|init_task)",
    "iscsi_itt_to_task": r"\w*parse_pdu_itt",
    # drivers/scsi/libiscsi.c iscsi_queuecommand: without a workqueue it sends at once
    "iscsi_queuecommand": r"\w*task_xmit",
    # drivers/scsi/bfa/bfa_fcpim.c bfa_ioim_alloc: a new request is in this state
    "bfa_ioim_start": r"bfa_ioim_sm_uninit",
    "csio_queuecommand": r"csio_scsis_\w+",
    "esas2r_build_sg_list_sge": r"\w*get_phys\w*",
    "esas2r_build_sg_list_prd": r"\w*get_phys\w*",
    "esas2r_complete_request": r"complete_\w+|\w+_cb",
    "esas2r_csmi_ioctl_tunnel_comp_cb": "",  # a tool's command
    "scsi_passthru_comp_cb": "",
    "__fw_send_request": r"ohci_send_request|dummy_send_request",
    "fw_send_request": r"ohci_send_request|dummy_send_request",
    "fw_send_request_with_timestamp": r"ohci_send_request|dummy_send_request",
    "fw_card_read_cycle_time": r"ohci_read_csr|dummy_read_csr",
    "__enqueue_cmd_and_start_io": r"SA5\w*_submit_command\w*",
    "hv_ringbuffer_write": r"storvsc_next_request_id",
    "isci_task_refuse": r"sas_\w*task\w*_done|sas_task_internal_done",
    # drivers/scsi/isci: while the controller starts, or a phy comes and goes
    "sci_controller_initial_state_enter": "",
    "sci_controller_link_down": "",
    "sci_controller_link_up": "",
    "sci_remote_node_context_initial_state_enter": "",
    "sci_remote_node_context_ready_state_enter": "",
    "sci_change_state": r"sci_\w+_(enter|exit)",
    "sci_init_sm": r"sci_\w+_(enter|exit)",
    "lpfc_queuecommand": r"lpfc_(bg_)?scsi_prep_(dma|cmnd)_buf_s[34]|lpfc_get_scsi_buf_s[34]",
    "lpfc_get_scsi_buf": r"lpfc_get_scsi_buf_s[34]",
    "lpfc_scsi_prep_dma_buf": r"lpfc_scsi_prep_dma_buf_s[34]",
    "lpfc_bg_scsi_prep_dma_buf": r"lpfc_bg_scsi_prep_dma_buf_s[34]",
    "lpfc_scsi_prep_cmnd": r"lpfc_scsi_prep_cmnd_buf_s[34]",
    "lpfc_release_scsi_buf": r"lpfc_release_scsi_buf_s[34]",
    "lpfc_sli_issue_fcp_io": r"__lpfc_sli_issue_fcp_io_s[34]",
    "lpfc_sli_issue_iocb": r"__lpfc_sli_issue_iocb_s[34]",
    "lpfc_sli_submit_iocb": r"__lpfc_sli_release_iocbq_s[34]",
    "lpfc_sli_release_iocbq": r"__lpfc_sli_release_iocbq_s[34]",
    "_base_build_sg": r"_base_add_sg_single_(32|64)",
    "_base_build_sg_scmd": r"_base_add_sg_single_(32|64)",
    "_base_build_zero_len_sge": r"_base_add_sg_single_(32|64)",
    "scsih_qcmd": r"_base_build_sg\w*|_base_build_zero\w*|_base_put_smid\w*|_base_get_\w*msix\w*",
    "pm8001_queue_command": r"pm80(01|xx)_chip_(ssp_io|smp|sata|ssp_tm)_req",
    "pm8001_chip_sata_req": r"sas_ata_task_done",
    "pm80xx_chip_sata_req": r"sas_ata_task_done",
    "pm8001_task_exec": r"pm80(01|xx)_chip_(ssp_io|smp|sata|ssp_tm)_req",
    "myrb_qcmd": r"DAC960_\w+_write_cmd_mbox",
    "__sym_calloc2": r"___(get_dma|mp0_get)_mem_cluster",
    "__sym_mfree": r"___(free_dma|mp0_free)_mem_cluster",
    "usb_hcd_submit_urb": r"(xhci|ehci)_(urb_enqueue|map_urb_for_dma)",
    "map_urb_for_dma": r"xhci_map_urb_for_dma",
    "qla2xxx_queuecommand": r"qla\w*_start_scsi\w*",
    "qla2xxx_mqueuecommand": r"qla\w*_start_scsi\w*",
    "ufshcd_send_command": "",  # ->setup_xfer_req: no PCI variant has it
    "spi_device_match": "",  # while a device is looked for
    "at_context_transmit": "",  # ->callback: only for a packet that is refused
    "ohci_send_request": "",
    "dummy_send_request": "",
}
CUTS: tuple[CutText, ...] = (
    ("*", "scsi_done", "only for a command that is refused: completed at once"),
    ("*", "scsi_done_direct", "only for a command that is refused: completed at once"),
    ("*", "iscsi_dbg_trace", "debugging"),
    ("*", "xhci_dbg_trace", "debugging"),
    ("*", "ips_flash_bios", "only for a tool's command"),
    ("*", "ata_scsi_simulate", "only for commands other than reads and writes"),
    ("ata_qc_issue", "ata_qc_complete", "only for a command whose DMA mapping failed"),
    ("*", "ata_link_abort", "after an error"),
    ("*", "ata_port_freeze", "after an error"),
    ("*", "ata_port_schedule_eh", "after an error"),
    ("*", "ips_is_passthru", "only for a tool's command"),
    ("*", "ips_make_passthru", "only for a tool's command"),
    ("*", "mpt_HardResetHandler", "only after an error"),
    ("*", "mpt_SoftResetHandler", "only after an error"),
    ("*", "mpt_Soft_Hard_ResetHandler", "only after an error"),
    ("*", "mpt_config", "only to look for hidden disks of a RAID while the bus is scanned"),
    ("*", "rh_urb_enqueue", "only for a root hub"),
    ("*", "usb_hcd_giveback_urb", "only for a root hub, or an urb that is refused"),
    ("*", "lpfc_sli_handle_fast_ring_event", "only with the parameter lpfc_poll"),
    ("*", "lpfc_sli4_process_eq", "only while the queue's CPUs are offline"),
    ("*", "lpfc_sli4_poll_eq", "only while the queue's CPUs are offline"),
    ("*", "lpfc_check_sli_ndlp", "after an error"),
    ("*", "*qla*process_response_queue", "only where the adapter's NVRAM turns ZIO on"),
    ("*", "qla2x00_sp_release", "only for a command that is refused"),
    ("*", "qla2xxx_dump_fw", "after an error"),
    # drivers/scsi/hosts.c, scsi_scan.c, scsi_sysfs.c: they sleep, and queuecommand may not
    *(
        ("*", name, "sleeps: not below queuecommand")
        for name in (
            *("scsi_add_host_with_dma", "scsi_remove_host", "*scsi_remove_device"),
            *("scsi_remove_target", "do_scsi_scan_host", "scsi_scan_*", "__scsi_scan_target"),
            *("*scsi_add_device", "scsi_rescan_device", "*starget_for_each_device"),
            *("spi_dv_device", "spi_display_xfer_agreement", "scsi_block_requests"),
            *(
                "mpt_do_ioc_recovery",
                "sas_phy_delete",
                "device_*",
                "virtio_reset_device",
                "sas_*_event*",
            ),
        )
    ),
    ("*", "fw_cancel_transaction", "only for a command that is aborted"),
    ("*", "*ata_qc_complete", "only for a command that failed"),
    ("*", "lpfc_sli_issue_mbox*", "only while the adapter is set up or fails"),
    ("*", "lpfc_sli*_issue_abort*", "only for a command that is aborted"),
    ("*", "lpfc_nvme*", "only for NVMe over FC"),
    ("*", "lpfc_*rpi*", "only while a port comes or goes"),
    ("*", "lpfc_offline*", "only while the adapter fails"),
    ("*", "handle_local_request", "only to the own node (drivers/firewire/ohci.c)"),
    ("*", "close_transaction", "only for a request that is refused"),
    ("*", "esas2r_local_reset_adapter", "after an error"),
)
