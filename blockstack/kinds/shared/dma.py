"""Mapping buffers for a device (6.1 and later): straight, through an IOMMU, or by bouncing them.

Read in Linux 6.1, 6.12 and 7.3: kernel/dma/mapping.c, drivers/iommu/dma-iommu.c, iommu.c, iova.c,
intel/iommu.c, amd/io_pgtable.c. Functions of the IOMMU are named one by one: a table that was read
without debug information knows no source file of theirs. What allocates pages of an I/O page table
or an iova ends in the page allocator or in slab, which are not followed here as anywhere.
"""

from blockstack.kinds.shared.requests import Cuts, Edges

#: 7.3: requests are mapped by block/blk-mq-dma.c, I/O page tables by drivers/iommu/generic_pt
_FUNCTIONS_V7_3 = (
    "blk_rq_dma_map_iter_start",
    "blk_dma_map_iter_start",
    "blk_rq_dma_map_iter_next",
    "dma_iova_try_alloc",
    "dma_iova_link",
    "__dma_iova_link",
    "dma_iova_sync",
    "iommu_dma_iova_link_swiotlb",
    "iommu_dma_iova_bounce_and_link",
    "iommu_dma_map_phys",
    "iommu_dma_map_swiotlb",
    "iommu_map_nosync",
    "iommu_sync_map",
    "vtdss_map_range",
    "amdv1_map_range",
    "x86_64_map_range",
    "check_map_range",
    "increase_top",
    "do_map",
    "__map_range",
    "__map_range_leaf",
    "clear_contig",
    "iommu_alloc_pages_node_sz",
    *(f"__map_single_page{level}" for level in range(5)),
)
DMA_FILES = (
    *(f"{function}()" for function in _FUNCTIONS_V7_3),
    "kernel/dma/direct.c",
    "kernel/dma/mapping.c",
    "kernel/dma/swiotlb.c",
    "mm/dmapool.c",
)
#: a build without IOMMU drivers (i386) has none of them
DMA_EDGES: Edges = tuple(
    (caller + "?", callee + "?")
    for caller, callees in (
        ("dma_map_page_attrs", ("iommu_dma_map_page",)),
        ("__dma_map_sg_attrs", ("iommu_dma_map_sg",)),
        ("iommu_dma_map_page", ("__iommu_dma_map", "swiotlb_tbl_map_single")),
        ("iommu_dma_map_sg", ("iommu_map_sg", "iommu_map_sg_atomic", "iommu_dma_alloc_iova")),
        ("__iommu_dma_map", ("iommu_map", "iommu_map_atomic", "iommu_dma_alloc_iova")),
        ("iommu_dma_alloc_iova", ("alloc_iova_fast",)),
        ("alloc_iova_fast", ("alloc_iova", "free_cpu_cached_iovas")),
        ("alloc_iova", ("alloc_iova_mem",)),
        ("iommu_map_sg_atomic", ("__iommu_map_sg",)),
        ("__iommu_map_sg", ("__iommu_map",)),
        ("iommu_map_sg", ("__iommu_map",)),
        # domain->ops->map_pages, ->iotlb_sync_map
        ("iommu_map_atomic", ("__iommu_map", "intel_iommu_iotlb_sync_map")),
        ("iommu_map", ("__iommu_map", "intel_iommu_iotlb_sync_map", "amd_iommu_iotlb_sync_map")),
        ("__iommu_map", ("intel_iommu_map_pages", "amd_iommu_map_pages")),
        ("intel_iommu_map_pages", ("pfn_to_dma_pte", "__domain_mapping", "cache_tag_flush_range")),
        ("__domain_mapping", ("pfn_to_dma_pte", "iommu_flush_iotlb_psi")),
        ("pfn_to_dma_pte", ("iommu_alloc_pages_node",)),
        ("intel_iommu_iotlb_sync_map", ("cache_tag_flush_range_np", "iommu_flush_iotlb_psi")),
        ("iommu_flush_iotlb_psi", ("qi_flush_iotlb", "__iommu_flush_iotlb")),
        ("qi_flush_iotlb", ("qi_submit_sync",)),
        ("cache_tag_flush_range", ("cache_tag_flush_iotlb", "qi_batch_flush_descs")),
        ("cache_tag_flush_range_np", ("cache_tag_flush_iotlb", "qi_batch_flush_descs")),
        (
            "cache_tag_flush_iotlb",
            ("qi_batch_flush_descs", "__iommu_flush_iotlb", "qi_flush_iotlb"),
        ),
        ("qi_batch_flush_descs", ("qi_submit_sync",)),
        # struct io_pgtable_ops: ->map_pages
        ("amd_iommu_map_pages", ("iommu_v1_map_pages", "iommu_v2_map_pages")),
        ("iommu_v1_map_pages", ("amd_iommu_domain_flush_pages", "amd_iommu_domain_flush_tlb_pde")),
        ("iommu_v2_map_pages", ("amd_iommu_domain_flush_pages", "amd_iommu_flush_page")),
        ("amd_iommu_iotlb_sync_map", ("amd_iommu_domain_flush_pages",)),
        ("amd_iommu_domain_flush_pages", ("__domain_flush_pages",)),
        ("__domain_flush_pages", ("__iommu_queue_command_sync", "device_flush_iotlb")),
        ("device_flush_iotlb", ("__iommu_queue_command_sync",)),
        # 7.3: struct pt_iommu_ops ->map_range, domain->ops->iotlb_sync_map
        ("iommu_map_nosync", ("vtdss_map_range", "amdv1_map_range", "x86_64_map_range")),
        *(
            (caller, ("intel_iommu_iotlb_sync_map", "amd_iommu_iotlb_sync_map"))
            for caller in ("iommu_sync_map", "iommu_map_sg")
        ),
    )
    for callee in callees
)
_NEVER: Cuts = (
    ("*", "dma_alloc_from_dev_coherent", "only for a device with memory of its own"),
    ("dma_direct_map_sg", "dma_direct_unmap_sg", "only when a page cannot be mapped"),
    ("*", "dma_common_*", "only for memory that must be remapped"),
    ("*", "dma_direct_alloc_from_pool", "only in atomic context with encrypted memory"),
    ("iommu_dma_map_sg", "iommu_dma_unmap_page", "only when a page cannot be mapped"),
    ("dma_iova_*", "dma_iova_*", "unlinks and frees only when a page cannot be linked"),
    ("*", "swiotlb_tbl_unmap_single", "only when a page cannot be mapped"),
    ("*", "__swiotlb_tbl_unmap_single", "only when a page cannot be mapped"),
    ("*", "swiotlb_release_slots", "only when a page cannot be mapped"),
    ("dma_map_page_attrs", "iommu_unmap", "only when a page cannot be mapped"),
    ("*iommu_map*", "iommu_unmap", "only when a page cannot be mapped"),
    ("*", "iommu_deferred_attach", "only in a kernel that kexec started after a crash"),
)
DMA_CUTS: Cuts = (
    *_NEVER,
    ("*", "swiotlb_*", "memory that every device reaches, unencrypted [swiotlb=false]"),
    ("*", "iommu_dma_*", "no IOMMU translates [iommu=none]"),
    ("*", "intel_iommu_*", "no VT-d translates [iommu=none|amd]"),
    ("*", "amd_iommu_*", "no AMD-Vi translates [iommu=none|intel]"),
    # 7.3: drivers/iommu/generic_pt/fmt: VT-d's second stage, AMD's first version
    ("*", "dma_iova_*", "no IOMMU translates [iommu=none]"),
    ("*", "vtdss_*", "no VT-d translates [iommu=none|amd]"),
    ("*", "amdv1_*", "no AMD-Vi translates [iommu=none|intel]"),
)
#: names that a tracer sees that was told of the IOMMU
IOMMU_NAMES = frozenset(
    name.removesuffix("?") for edge in DMA_EDGES for name in edge if "map_single" not in name
) | frozenset(_FUNCTIONS_V7_3)
