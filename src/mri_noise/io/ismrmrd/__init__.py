"""ISMRMRD HDF5.

reader: opens a scan; header: the XML; acquisitions: their purpose; frames: which make up a slice; calibration: which
show its centre; measurements: what the groups of a file measured.
"""
