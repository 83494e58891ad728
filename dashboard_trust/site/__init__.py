"""What people read about readiness, beside or on the dashboards themselves."""
