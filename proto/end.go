package pb

// EndStep is the step after which the run ends: its schedules' last, or an earlier one that was asked for.
func (c *RunConfig) EndStep() int64 {
	if limit := c.GetMaxSteps(); limit > 0 && limit < c.GetTotalSteps() {
		return limit
	}
	return c.GetTotalSteps()
}
