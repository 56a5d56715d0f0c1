"""Files in and out.

formats: open a scan of any format; format: what a format is; fastmri, bart, ismrmrd: the formats; results, summary,
nifti: what is written; measurements: several in a file; echo, readout, samples, volume: what readers share; hdf5,
fingerprint, inputs: files of unknown origin, their identity, and that nothing read is overwritten.
"""
