"""The shop. Code and manifests live in one repository: here a careless updater starts a loop."""

print("one ferry ticket, please")
